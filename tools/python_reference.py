#!/usr/bin/python3
"""Writes docs/python-api.md from the docstrings of the package assay.

usage: PYTHONPATH=build/release/python tools/python_reference.py [--check]

--check: exit 1 where the page is not what would be written.
"""
import inspect
import pathlib
import sys

import assay

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "python-api.md"
HANDED_OUT = ("Array", "Batch", "Audit")  # nobody makes these
HEAD = """# The Python package, name by name

Generated from the docstrings by `tools/python_reference.py`; a test compares. docs/python.md is the way in,
docs/ffcv.md has FFCV's names. Types are in the stubs that come with the package (`py.typed`).

"""


def signature(name, thing):
    """As help() shows it, without types."""
    try:
        found = inspect.signature(thing)
    except (TypeError, ValueError):
        return name
    words, star = [], False
    for p in found.parameters.values():
        if p.name == "self":
            continue
        if p.kind is p.VAR_POSITIONAL:
            star = True
        if p.kind is p.KEYWORD_ONLY and not star:
            words.append("*")
            star = True
        mark = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        words.append(mark + p.name + ("" if p.default is p.empty else f"={p.default!r}"))
    return f"{name}({', '.join(words)})"


def text(thing):
    """The docstring as it is; what is indented becomes code."""
    return inspect.cleandoc(thing.__doc__ or "")


def members(thing):
    for name, value in vars(thing).items():
        if name.startswith("_"):
            continue
        if isinstance(value, property) or inspect.isgetsetdescriptor(value):
            yield f"- `.{name}`: {one_line(value)}"
        elif callable(value):
            yield f"- `.{signature(name, value)}`: {one_line(value)}"


def one_line(thing):
    return " ".join((thing.__doc__ or "").split())


def section(name, thing):
    parts = [f"## `assay.{name}`", ""]
    if isinstance(thing, type) and issubclass(thing, Exception):
        also = [b.__name__ for b in thing.__bases__ if b.__module__ == "builtins"]
        more = f" Also a `{also[0]}`." if also and also[0] != "Exception" else ""
        return "\n".join([*parts, text(thing) + more, ""])
    if name not in HANDED_OUT:
        parts += ["```", signature(name, thing), "```", ""]
    parts += [text(thing), ""]
    if isinstance(thing, type):
        listed = list(members(thing))
        parts += [*listed, ""] if listed else []
    return "\n".join(parts)


def page():
    names = [n for n in assay.__all__ if not n.startswith("__")]
    classes = [n for n in names if isinstance(getattr(assay, n), type)]
    errors = [n for n in classes if issubclass(getattr(assay, n), Exception)]
    order = [n for n in classes if n not in errors] + [n for n in names if n not in classes] + errors
    return HEAD + "\n".join(section(n, getattr(assay, n)) for n in order)


def main():
    wanted = page()
    if "--check" not in sys.argv:
        PAGE.write_text(wanted)
        return 0
    if PAGE.exists() and PAGE.read_text() == wanted:
        return 0
    print(f"{PAGE} is not what the docstrings say; run tools/python_reference.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
