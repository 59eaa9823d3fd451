"""`python -m assay` is the command `assay`: the program that came with the package."""
import os
import shutil
import sys


def command() -> str:
    """The program: beside this file (wheels), where a build put it, or on PATH."""
    here = os.path.dirname(os.path.abspath(__file__))
    for path in (os.path.join(here, "_bin", "assay"), os.path.join(here, "..", "..", "assay")):
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    found = shutil.which("assay")
    if found is None:
        sys.exit("error: the command assay did not come with this installation\n"
                 "  help: pip install . builds it; or put it on PATH")
    return found


def main() -> None:
    """Becomes the command: its signals, output and exit code."""
    path = command()
    os.execv(path, [path, *sys.argv[1:]])


if __name__ == "__main__":
    main()
