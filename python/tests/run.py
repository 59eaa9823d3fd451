#!/usr/bin/python3
"""Runs the package's tests; 77 (skipped) where pytest or NumPy is missing.

usage: run.py PACKAGE_FOLDER [pytest's arguments]
"""
import os
import pathlib
import sys

SKIPPED = 77


def main():
    package = sys.argv[1]
    try:
        import numpy
        import pytest
    except ImportError as missing:
        print(f"skipped: {missing}; tools/setup.sh check installs python3-pytest and python3-numpy")
        return SKIPPED
    del numpy
    sys.path.insert(0, package)
    os.environ["PYTHONPATH"] = package  # of the processes that tests start
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    here = str(pathlib.Path(__file__).parent)
    return pytest.main(["-q", "-rs", "-p", "no:cacheprovider", "--rootdir", here, here,
                        *sys.argv[2:]])


if __name__ == "__main__":
    sys.exit(main())
