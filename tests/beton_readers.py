#!/usr/bin/python3
"""Two readers of one specification: the library's and tools/read_beton.py must see the same in every
file, those that assay wrote (the fuzz target's seeds) and FFCV's golden ones.

usage: beton_readers.py READ_BETON BETON_LIST REPLAY_BETON SHARED

ASSAY_SHARED in the environment goes before SHARED, the folder of golden files.
"""
import gzip
import os
import pathlib
import subprocess
import sys
import tempfile


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def main(read_beton, beton_list, replay, shared):
    failed = seen = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        subprocess.run([replay, "--write", folder], check=True)
        golden = pathlib.Path(os.environ.get("ASSAY_SHARED", shared)) / "golden"
        if not golden.is_dir():
            print(f"skipped: FFCV's golden files ({golden} is absent; set ASSAY_SHARED)")
        for packed in sorted(golden.glob("*.beton.gz")):
            (folder / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
        files = sorted(folder.iterdir()) + sorted(golden.glob("*.beton"))
        for file in files:
            mine = output(beton_list, file)
            other = output(sys.executable, read_beton, file)
            same = mine[0] == other[0] == 0 and mine[1] == other[1]
            lines = mine[1].count("\n")
            print(f"{file.name}: {lines} lines, {'the same' if same else 'DIFFERENT'}")
            if not same:
                print(mine[2], other[2])
            failed += not same
            seen += 1
        # A byte changed in a file of ours: both must see it.
        data = bytearray((folder / "seed-00").read_bytes())
        for at in (9, 30, 2000, 4100, len(data) - 5):
            data[at] ^= 64
            bent = folder / "bent"
            bent.write_bytes(data)
            codes = output(beton_list, bent)[0], output(sys.executable, read_beton, bent)[0]
            if 0 in codes:
                print(f"byte {at} changed: exit codes {codes}")
                failed += 1
            data[at] ^= 64
    print(f"{seen} files, {failed} failures")
    return 1 if failed or seen < 4 else 0


sys.exit(main(*sys.argv[1:]))
