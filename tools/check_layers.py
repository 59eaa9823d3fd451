#!/usr/bin/python3
"""Checks who includes whom: rooms look downward only, and foreign headers stay in adapter files.

usage: check_layers.py SOURCE_DIR
"""
import pathlib
import re
import sys

ROOMS = [  # top to bottom; rooms on one line never include each other
    "cli python", "report", "audit card", "detect debug probe reason", "attribute attack shrink",
    "train", "zoo", "data nn render", "file image", "tensor", "simd", "base"]
HEADERS = {"model": "nn", "load": "data", "bench": "base", "doctor": "data", "write": "data", "read": "data",
           "settings": "train", "fleet": "train", "trace": "detect"}  # public headers not named after their room; bench: of several
LEVEL = {room: level for level, line in enumerate(ROOMS) for room in line.split()}

STANDARD = set("""assert complex ctype errno fenv float fnmatch inttypes iso646 limits locale math setjmp
    signal stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath
    threads time uchar wchar wctype dirent dlfcn fcntl glob poll pthread sched semaphore strings termios
    unistd cpuid immintrin sys/mman sys/resource sys/stat sys/statvfs sys/time sys/types sys/wait
    sys/ioctl sys/socket sys/syscall""".split())
ADAPTERS = {  # file name without .c: the foreign headers it is there for
    "jansson": "jansson", "libjpeg": "jpeglib|jerror", "spng": "spng", "zlib": "zlib",
    "libarchive": "archive|archive_entry", "onednn": r"(oneapi/dnnl/)?dnnl(_\w+)?|omp",
    "lapack": "lapacke|cblas", "protobuf": "onnx.pb-c|protobuf-c/protobuf-c",
    "protobuf_write": "onnx.pb-c|protobuf-c/protobuf-c",
    "blas": "cblas",
    "ext": "Python"}  # python/ext/ext.h


def complaint(path, room, target, angled):
    """What is wrong with this include, or None."""
    if angled and not target.startswith("assay/"):
        name = target[:-len(".h")]
        test = path.stem.endswith("_test") or path.name.startswith("testing")
        known = name in STANDARD or (test and name == "cmocka")
        if known or re.fullmatch(ADAPTERS.get(path.stem.removesuffix("_test"), "$"), name):
            return None
        return "foreign header outside its adapter file"
    if target.endswith("_table.inc"):  # written by assay_registry()
        return None
    folder, _, name = target.partition("/")
    if room == "python":
        return None if angled or "/" not in target else "python sees public headers only"
    if room == "cli":
        return None if angled or folder == room else f"{room} sees public headers only"
    other = name[:-len(".h")] if angled else folder  # <assay/data.h> belongs to data
    other = HEADERS.get(other, other)
    if other not in LEVEL:
        return f"there is no room {other}"
    if other != room and LEVEL[other] <= LEVEL[room]:
        return f"{room} is not above {other}"
    return None


def main():
    root = pathlib.Path(sys.argv[1])
    files = [(p, HEADERS.get(p.stem, p.stem)) for p in sorted(root.glob("include/assay/*.h"))]
    files += [(p, p.relative_to(root / "src").parts[0])
              for p in sorted(root.glob("src/*/**/*")) if p.suffix in (".c", ".h", ".inc")]
    files += [(p, "python") for p in sorted(root.glob("python/ext/*.[ch]"))]
    found = 0
    for path, room in files:
        if path.name == "assay.h":
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            include = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            why = include and complaint(path, room, include[2], include[1] == "<")
            if re.match(r"\s*#\s*define\s+_(GNU|DEFAULT|BSD)_SOURCE", line) \
                    and path.name != "os_linux.c":
                why = "only base/os_linux.c asks for more than POSIX"
            if why:
                print(f"{path.relative_to(root)}:{number}: {line.strip()}: {why}")
                found += 1
    print(f"{len(files)} files, {found} complaints")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
