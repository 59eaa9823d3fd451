#!/usr/bin/python3
"""What iterating costs from Python: assay.Loader beside `assay bench load`, and FFCV, by turns.

usage: PYTHONPATH=build/release/python tools/bench_python.py ASSAY FILE.beton [ROUNDS]

The pipeline is cifar-f32 (flip, translate, cutout, normalise), one worker, batches of 256. Times are
processor time of the whole process, so that other work on the machine matters little; each line is the
median over the rounds. ASSAY_FFCV_PYTHON names a Python that has FFCV; without it that part is left out.
"""
import json
import os
import statistics
import subprocess
import sys
import time

BATCH, EPOCHS = 256, 5
STEPS = "image: flip | translate(4) | cutout(8) | normalize(cifar10); label"

FFCV = """
import sys, time
import numpy as np
from ffcv.fields.basics import IntDecoder
from ffcv.fields.decoders import SimpleRGBImageDecoder
from ffcv.loader import Loader, OrderOption
from ffcv.transforms import RandomHorizontalFlip, RandomTranslate, Cutout, NormalizeImage, ToTensor
mean, std = np.array([125.3, 123.0, 113.9]), np.array([63.0, 62.1, 66.7])
loader = Loader(sys.argv[1], batch_size=256, num_workers=1, order=OrderOption.RANDOM, drop_last=False,
    os_cache=True, seed=1, pipelines={"image": [SimpleRGBImageDecoder(), RandomHorizontalFlip(),
    RandomTranslate(4), Cutout(8), NormalizeImage(mean, std, np.float32), ToTensor()],
    "label": [IntDecoder(), ToTensor()]})
for x, y in loader: pass
n, cpu = 0, time.process_time()
for _ in range(5):
    for x, y in loader: n += len(x)
print((time.process_time() - cpu) / n)
"""


def from_c(command, path):
    done = subprocess.run([command, "bench", "load", path, "--pipeline", STEPS, "-j", "1", "--batch",
                           str(BATCH), "--epochs", str(EPOCHS), "--json"], capture_output=True,
                          check=True, text=True)
    return json.loads(done.stdout)["cpu_ms_per_image"] / 1000


def from_python(path, finish):
    import assay
    loader = assay.Loader(path, STEPS, batch=BATCH, threads=1, seed=1)
    rows = sum(finish(batch) or batch.n for batch in loader)
    cpu, own = time.process_time(), time.thread_time()
    for _ in range(EPOCHS):
        for batch in loader:
            finish(batch)
    return ((time.process_time() - cpu) / rows / EPOCHS, (time.thread_time() - own) / rows / EPOCHS)


def from_ffcv(python, path):
    done = subprocess.run([python, "-W", "ignore", "-c", FFCV, path], capture_output=True, check=True,
                          text=True, cwd="/")
    return float(done.stdout.split()[-1])


def main():
    command, path = sys.argv[1], os.path.abspath(sys.argv[2])
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 7
    ffcv = os.environ.get("ASSAY_FFCV_PYTHON")
    took = {}

    def note(name, seconds):
        took.setdefault(name, []).append(seconds)

    for _ in range(rounds):
        note("C", from_c(command, path))
        for name, finish in (("Python", lambda b: None), ("NumPy", lambda b: b.numpy() and None),
                             ("PyTorch", lambda b: b.torch() and None)):
            try:
                whole, own = from_python(path, finish)
            except ImportError:
                continue
            note(name, whole)
            note(name + ", the thread that iterates", own)
        if ffcv:
            note("FFCV", from_ffcv(ffcv, path))
    for name, seconds in took.items():
        ratios = [s / c for s, c in zip(seconds, took["C"])]
        middle = statistics.median(seconds)
        print(f"{name:35} {middle * 1e6:7.3f} us an image  {1 / middle:12,.0f} images/s  "
              f"{statistics.median(ratios):6.3f} x C")


if __name__ == "__main__":
    main()
