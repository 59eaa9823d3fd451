#!/usr/bin/env python3
"""An audit killed at random moments and continued gives the bytes of an undisturbed one, and so does
another number of threads.

    resume_test.py ASSAY DATA [--limit N] [--kills N] [--seed N]

DATA is any source that `assay audit` takes. Everything in the output folder is compared except
run/timing.json (times) and marks of completeness that hold none of the result.
"""
import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
LEFT_OUT = {"run/timing.json"}


def command(args, out, threads):
    return [args.assay, "audit", args.data, "-o", out, "--limit", str(args.limit), "--members", "3",
            "--epochs", "3", "--sketch", "64", "--plant", "labels:5%", "--plant", "copies:20",
            "--threads", str(threads), "--progress", "none", "-q"]


def files(folder):
    found = {}
    for base, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(base, name)
            rel = os.path.relpath(path, folder)
            if rel not in LEFT_OUT:
                with open(path, "rb") as f:
                    found[rel] = hashlib.sha256(f.read()).hexdigest()
    return found


def compare(what, want, have):
    bad = sorted(n for n in want.keys() | have.keys() if want.get(n) != have.get(n))
    for name in bad:
        state = "differs" if name in want and name in have else \
            "is missing" if name in want else "is too many"
        print(f"{what}: {name} {state}")
    return not bad


def run_whole(args, out, threads):
    start = time.monotonic()
    subprocess.run(command(args, out, threads), check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def main():
    p = argparse.ArgumentParser()
    p.add_argument("assay")
    p.add_argument("data")
    p.add_argument("--limit", type=int, default=600)
    p.add_argument("--kills", type=int, default=10)
    p.add_argument("--seed", type=int, default=1)
    args = p.parse_args()
    if not os.path.exists(args.data):
        print(f"skipped: {args.data} is absent (package dataset-fashion-mnist)")
        return SKIPPED
    draw = random.Random(args.seed)
    ok = True
    with tempfile.TemporaryDirectory() as scratch:
        # The same output name for each run: it is part of the page's command line.
        folder = {name: os.path.join(scratch, name, "out") for name in ("one", "two", "killed")}
        for path in folder.values():
            os.mkdir(os.path.dirname(path))
        seconds = run_whole(args, folder["two"], 2)
        want = files(folder["two"])
        run_whole(args, folder["one"], 1)
        ok &= compare("1 thread against 2", want, files(folder["one"]))
        kills = finished = 0
        while kills < args.kills:
            child = subprocess.Popen(command(args, folder["killed"], 2), stdout=subprocess.DEVNULL)
            try:
                # Each round starts where the last was killed, so short waits still reach every phase.
                code = child.wait(draw.uniform(0.02, 0.5) * seconds)
                if code:
                    print(f"the command failed with {code}")
                    return 1
                finished += 1
                ok &= compare(f"after {kills} kills", want, files(folder["killed"]))
                shutil.rmtree(folder["killed"])
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
                child.wait()
                kills += 1
        run_whole(args, folder["killed"], 2)
        ok &= compare(f"after {kills} kills", want, files(folder["killed"]))
        print(f"{len(want)} files, {seconds:.1f} s undisturbed, {kills} kills, "
              f"{finished + 1} audits finished: "
              f"{'the same bytes' if ok else 'different bytes'}")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
