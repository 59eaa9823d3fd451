#!/usr/bin/python3
"""Compiles every public header alone, as C11 and as C++, with warnings as errors.

usage: headers.py INCLUDE_DIR C_COMPILER [CXX_COMPILER]
"""
import pathlib
import subprocess
import sys
import tempfile

WARN = "-fsyntax-only -pedantic -Wall -Wextra -Werror".split()


def main():
    include, cc, *cxx = sys.argv[1:]
    ways = [("C11", [cc, "-x", "c", "-std=c11", "-Wstrict-prototypes"])]
    ways += [("C++11", [c, "-x", "c++", "-std=c++11"]) for c in cxx]
    if not cxx:
        print("no C++ compiler: C11 only")
    failed = 0
    headers = sorted(pathlib.Path(include).glob("assay/*.h"))
    for header in headers:
        for name, command in ways:
            with tempfile.NamedTemporaryFile("w", suffix=".c") as unit:
                # Twice: the guard works. And something of its own: no empty translation unit.
                unit.write(f"#include <assay/{header.name}>\n" * 2 + "typedef int unit;\n")
                unit.flush()
                run = subprocess.run(command + WARN + ["-I", include, unit.name],
                                     capture_output=True, text=True)
            if run.returncode:
                failed += 1
                print(f"{header.name} as {name}:\n{run.stderr}")
    print(f"{len(headers)} headers, {failed} failures")
    return 1 if failed or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
