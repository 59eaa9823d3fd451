#!/usr/bin/python3
"""Trained models as ONNX: exported, checked by onnx, evaluated by its reference, run by assay.

usage: onnx_test.py ASSAY
Skipped unless ASSAY_ONNX_PYTHON names a Python that has onnx and numpy.
"""
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

import cli_test

CHECK = """
import sys
import numpy, onnx, onnx.reference
model, x, y = sys.argv[1:]
proto = onnx.load(model)
onnx.checker.check_model(proto, full_check=True)
x, y = numpy.load(x), numpy.load(y)
want = onnx.reference.ReferenceEvaluator(proto).run(None, {proto.graph.input[0].name: x})[0]
assert want.shape == y.shape, (want.shape, y.shape)
print(float(numpy.abs(want - y).max()), float(numpy.abs(want).max()))
"""


def main():
    python = os.environ.get("ASSAY_ONNX_PYTHON")
    if not python:
        print("skipped: ASSAY_ONNX_PYTHON is not set")
        return 77
    cli_test.ASSAY = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory(prefix="assay-onnx-") as folder:
        folder = pathlib.Path(folder)
        cli_test.toy(folder / "toy", side=32)
        side, count = 32, 3
        values = [(i * 7919 % 1000) / 1000 for i in range(count * 3 * side * side)]
        for model in ("mlp", "cnn", "resnet9", "resnet18"):
            out = folder / model
            done = cli_test.run("train", folder / "toy", "-o", out, f"--model={model}",
                                "--epochs=1")
            if done.returncode:
                print(f"{model}: {done.err}")
                return 1
            onnx = folder / f"{model}.onnx"
            done = cli_test.run("export", out / "model.safetensors", onnx, "--to=onnx")
            if done.returncode:
                print(f"{model}: {done.err}")
                return 1
            for channels in (1, 3):
                shape = f"({count}, {channels}, {side}, {side})"
                head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
                head += " " * (63 - (len(head) + 10) % 64) + "\n"
                data = values[:count * channels * side * side]
                (folder / "x.npy").write_bytes(
                    b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() +
                    struct.pack(f"<{len(data)}f", *data))
                done = cli_test.run("infer", onnx, folder / "x.npy", "-o", folder / "y.npy", "-f")
                if done.returncode == 0:
                    break
            if done.returncode:
                print(f"{model}: {done.err}")
                return 1
            told = subprocess.run([python, "-c", CHECK, onnx, folder / "x.npy", folder / "y.npy"],
                                  capture_output=True, text=True)
            if told.returncode:
                print(f"{model}: {told.stderr}")
                return 1
            off, size = map(float, told.stdout.split())
            print(f"{model}: largest difference {off:.2g}, largest value {size:.3g}")
            if off > 1e-5 * max(1, size):
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
