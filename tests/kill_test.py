#!/usr/bin/env python3
"""Attribution that keeps what it has made, killed at several moments and begun again, gives the bytes of an
undisturbed run: the result but its times, every file written, and what is kept. What a kill leaves half-written
beside a file, NAME.tmp-<process>-<number>, has no place in the comparison.

    kill_test.py ASSAY VERB [--kills N]

VERB is datamodels, counterfactual or attribute. The data are made here.
"""
import argparse
import hashlib
import json
import pathlib
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time

TEMPORARY = re.compile(r"\.tmp-\d+-\d+$")
TESTS = 20
LEAST = 3  # kills that must fall into the work

# Training rows, and a call whose work is kept in several blocks; features one block after the other, slowly, so that
# kills fall between them.
CALLS = {
    "datamodels": (200, ["--rows=100", "--targets=8", "--models=128", "--held-subsets=6", "--held-seeds=2",
                         "--epochs=1", "--batch=25", "-j2", "--weights=w.npy", "--csv=named.csv"]),
    "counterfactual": (200, ["--protocol=toy", "--methods=grad-dot,random", "--removals=10,40", "--models=1",
                             "--seeds=1", "-j2", "--targets=3", "--csv=changes.csv"]),
    "attribute": (1100, ["--model=mlp-4", "--method=trak", "--models=2", "--epochs=1", "--batch=50", "--rows=1100",
                         "--targets=20", "--dim=64", "--projector=rademacher", "-j1", "--scores=s.npy", "--csv=named.csv"]),
}


def make_data(folder, rows):
    """Noise with a square whose corner says the class, as idx files."""
    folder.mkdir()
    draw = random.Random(1)
    for name, n in (("train", rows), ("t10k", TESTS)):
        pixels, labels = bytearray(), bytes(i % 4 for i in range(n))
        for label in labels:
            image = bytearray(b >> 1 for b in draw.randbytes(28 * 28))
            for y in range(8):
                at = (4 + 12 * (label // 2) + y) * 28 + 4 + 12 * (label % 2)
                image[at:at + 8] = bytes(v + 90 for v in image[at:at + 8])
            pixels += image
        (folder / f"{name}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, n, 28, 28) + pixels)
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, n) + labels)


def without_times(value):
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if "seconds" not in k}
    return [without_times(v) for v in value] if isinstance(value, list) else value


def found(folder):
    """What a run leaves: bytes of each file, and the result without its times."""
    files = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or TEMPORARY.search(path.name):
            continue
        name = str(path.relative_to(folder))
        if name == "result.json":
            files[name] = json.dumps(without_times(json.loads(path.read_text())))
        else:
            files[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return files


class Run:
    def __init__(self, args, data, folder):
        folder.mkdir()
        self.folder = folder
        self.command = [args.assay, args.verb, str(data), *CALLS[args.verb][1], "--keep=kept", "--json", "-fq",
                        "-o", "result.json", "--progress=none"]

    def start(self):
        return subprocess.Popen(self.command, cwd=self.folder)

    def whole(self):
        begun = time.monotonic()
        subprocess.run(self.command, cwd=self.folder, check=True)
        return time.monotonic() - begun


def killed(run, after):
    """Whether the run was still at work when it was killed."""
    child = run.start()
    try:
        if child.wait(after):
            raise SystemExit(f"the command failed with {child.returncode}")
        return False
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
        child.wait()
        return True


def main():
    p = argparse.ArgumentParser()
    p.add_argument("assay")
    p.add_argument("verb", choices=sorted(CALLS))
    p.add_argument("--kills", type=int, default=4)
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        data = scratch / "data"
        make_data(data, CALLS[args.verb][0])
        calm = Run(args, data, scratch / "calm")
        seconds = calm.whole()
        want = found(calm.folder)
        kept = [name for name in want if name.startswith("kept/")]
        if not kept:
            raise SystemExit("nothing was kept")
        # Moments spread over the whole, each run going on from the one before: what is kept shortens it, so that
        # a later moment may find it finished; it then starts from nothing.
        hit = 0
        run = Run(args, data, scratch / "killed")
        for k in range(args.kills):
            if killed(run, seconds * (k + .6) / (args.kills + 1)):
                hit += 1
            else:
                run = Run(args, data, scratch / f"killed{k}")
                hit += killed(run, seconds * .5)
        run.whole()
        have = found(run.folder)
        bad = sorted(n for n in want.keys() | have.keys() if want.get(n) != have.get(n))
        for name in bad:
            print(f"{name} {'differs' if name in want and name in have else 'is there in one only'}")
        print(f"{args.verb}: {len(want)} files, {len(kept)} of them kept, {seconds:.1f} s undisturbed, {hit} kills")
        if hit < LEAST:
            print("too few kills fell into the work")
        return 1 if bad or hit < LEAST else 0


if __name__ == "__main__":
    sys.exit(main())
