"""The package's types: mypy agrees, and the stubs name what the extension has."""
import ast
import os
import pathlib
import shutil
import subprocess

import pytest

import assay
from assay import _assay

TOP = pathlib.Path(__file__).parents[2]
PACKAGE = TOP / "python" / "assay"


def test_mypy(tmp_path):
    mypy = shutil.which("mypy", path="/usr/bin:" + os.environ.get("PATH", ""))
    if mypy is None:
        pytest.skip("mypy is not installed")
    plain = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "PYTHONPATH")}
    user = tmp_path / "user.py"
    user.write_text(USER)
    done = subprocess.run([mypy, "--config-file", str(TOP / "pyproject.toml"), "--cache-dir",
                           str(tmp_path / "cache"), str(PACKAGE), str(user)], capture_output=True,
                          text=True, env={**plain, "MYPYPATH": str(TOP / "python")}, check=False)
    assert done.returncode == 1 and done.stdout.count("error:") == 2, done.stdout + done.stderr
    assert 'user.py:5: error: Argument "batch"' in done.stdout
    assert 'user.py:6: error: "Loader" has no attribute "nothing"' in done.stdout


USER = """import assay

loader = assay.Loader("a.beton", batch=3)
n: int = len(loader)
assay.Loader("a.beton", batch="many")
loader.nothing()
"""


def test_stubs_name_everything():
    tree = ast.parse((PACKAGE / "_assay.pyi").read_text())
    stubs = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            stubs[node.name] = {m.name for m in node.body if isinstance(m, ast.FunctionDef)}
        elif isinstance(node, ast.FunctionDef):
            stubs[node.name] = None
    for name, value in vars(_assay).items():
        if name.startswith("__") or name in ("version", "Memory"):
            continue
        assert name in stubs, name
        if isinstance(value, type) and not issubclass(value, Exception):
            public = {m for m in vars(value) if not m.startswith("_")}
            assert public <= stubs[name], f"{name}: {public - stubs[name]}"
            assert {m for m in stubs[name] if not m.startswith("_")} <= public
    assert set(stubs) - {"Batch"} <= set(vars(_assay))


def test_everything_is_documented():
    for name in assay.__all__:
        thing = getattr(assay, name)
        if callable(thing):
            assert thing.__doc__, name
            for member, value in vars(thing).items() if isinstance(thing, type) else ():
                if not member.startswith("_") and (callable(value) or isinstance(value, property)):
                    assert value.__doc__, f"{name}.{member}"


def test_the_reference_is_what_the_docstrings_say():
    import sys
    done = subprocess.run([sys.executable, str(TOP / "tools" / "python_reference.py"), "--check"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
