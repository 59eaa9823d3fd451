#!/usr/bin/python3
"""Compares what the shared library exports with the list of public names, and with the headers.

usage: symbols.py LIBRARY LIST INCLUDE_DIR [--update]
"""
import difflib
import pathlib
import re
import subprocess
import sys


def main():
    library, listing, include = sys.argv[1:4]
    run = subprocess.run(["nm", "-D", "--defined-only", library],
                         capture_output=True, text=True, check=True)
    names = sorted({line.split()[2].split("@")[0] for line in run.stdout.splitlines()})
    # Sanitizers and the linker add reserved names of their own.
    names = [n for n in names if not n.startswith("_")]
    if "--update" in sys.argv[4:]:
        pathlib.Path(listing).write_text("".join(n + "\n" for n in names))
        return 0
    failed = False
    for name in names:
        if not name.startswith("assay_"):
            print(f"{name} is exported but does not begin with assay_")
            failed = True
    text = "".join(p.read_text() for p in sorted(pathlib.Path(include).glob("assay/*.h")))
    declared = set(re.findall(r"ASSAY_API\b[^;{]*?\b(assay_\w+)\s*\(", text))
    for name in sorted(declared - set(names)):
        print(f"{name} is declared but not in the library")
        failed = True
    for name in sorted(set(names) - declared):
        print(f"{name} is in the library but no header declares it")
        failed = True
    before = pathlib.Path(listing).read_text().splitlines()
    diff = list(difflib.unified_diff(before, names, listing, library, lineterm="", n=0))
    if diff:
        print("\n".join(diff))
        print(f"\nThe list of public names has changed. If that is meant:\n"
              f"  {' '.join(sys.argv)} --update\n"
              f"A name that goes is a break for programs: SOVERSION must rise.")
    print(f"{len(names)} names")
    return 1 if failed or diff else 0


if __name__ == "__main__":
    sys.exit(main())
