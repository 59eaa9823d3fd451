#!/usr/bin/python3
"""FFCV itself opens what assay writes: labels and pixels as `assay dump` gives them.

usage: ffcv_test.py ASSAY

ASSAY_FFCV_PYTHON in the environment names a Python that has FFCV (PyPI's `ffcv`, built against
OpenCV and libturbojpeg); without it the test is skipped. FFCV decodes JPEG by the fast integer IDCT,
assay by the accurate one, so pixels of JPEG are compared within a few levels, and exactly with what
FFCV's decoder makes of the source's own bytes.
"""
import collections
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

SKIPPED = 77
SIDE, ROWS, BATCH = (160, 120), 23, 5  # width, height; 23 is no multiple of 5
FAST_IDCT_LEVELS = 20  # most that one pixel may differ between the two IDCTs; seen: 14


def assay(command, *words):
    plain = {k: v for k, v in os.environ.items() if not k.startswith("ASSAY_")}
    done = subprocess.run([command, *map(str, words)], capture_output=True, text=True, env=plain,
                          check=False)
    if done.returncode:
        raise AssertionError(f"assay {' '.join(map(str, words))}: {done.stderr}")
    return done.stdout


def picture(rng, width, height):
    """Something smooth with a few edges, as photos are."""
    import cv2
    small = rng.integers(0, 256, (6, 8, 3), dtype="uint8")
    image = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    x, y = int(rng.integers(width // 2)), int(rng.integers(height // 2))
    cv2.rectangle(image, (x, y), (x + 40, y + 30), tuple(map(int, rng.integers(0, 256, 3))), 3)
    return image


def folder_of(root, name, suffix, sizes):
    """A folder with two classes of pictures."""
    import cv2
    import numpy as np
    rng = np.random.default_rng(7)
    for i, (width, height) in enumerate(sizes):
        path = root / name / ("cat", "dog")[i % 2] / f"{i:03}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture(rng, width, height))
    return root / name


def idx_of(root):
    """60 grey images of 28 x 28, as MNIST's files hold them."""
    import numpy as np
    rng = np.random.default_rng(8)
    folder = root / "idx"
    folder.mkdir()
    for part, count in (("train", 60), ("t10k", 10)):
        pixels = rng.integers(0, 256, (count, 28, 28), dtype="uint8")
        labels = (np.arange(count) * 3 % 10).astype("uint8")
        (folder / f"{part}-images-idx3-ubyte").write_bytes(
            struct.pack(">IIII", 0x803, count, 28, 28) + pixels.tobytes())
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(
            struct.pack(">II", 0x801, count) + labels.tobytes())
    return folder


def dumped(command, beton, samples, root):
    """What assay itself reads: pixels and labels by sample."""
    import numpy as np
    images, labels = [], []
    for i in range(samples):
        for field, into in (("image", images), ("label", labels)):
            out = root / "cell.npy"
            assay(command, "dump", beton, "--sample", i, "--field", field,
                  "--output", out, "--force")
            into.append(np.load(out))
    return images, labels


def loaded(beton, order, os_cache, decoder=None):
    """What FFCV's loader hands out, batch after batch."""
    from ffcv.fields.basics import IntDecoder
    from ffcv.fields.decoders import SimpleRGBImageDecoder
    from ffcv.loader import Loader
    loader = Loader(str(beton), batch_size=BATCH, num_workers=1, order=order, os_cache=os_cache,
                    seed=1, drop_last=False,
                    pipelines={"image": [decoder or SimpleRGBImageDecoder()],
                               "label": [IntDecoder()]})
    images, labels = [], []
    for image, label in loader:
        images.extend(image.copy())
        labels.extend(label.copy())
    return images, labels


def payload(reader, beton, sample):
    """A sample's bytes in the file, found through FFCV's own reader."""
    import numpy as np
    pointer = reader.metadata[sample]["f0"]["data_ptr"]
    entry = reader.alloc_table[reader.alloc_table["ptr"] == pointer]
    assert len(entry) == 1, "an image has one entry in the allocation table"
    return np.fromfile(beton, dtype="u1", count=int(entry["size"][0]), offset=int(pointer))


def check_modes(command, root):
    """The same pictures stored in each way, read in order, and in quasi-random order through
    FFCV's process cache (pages read by pread) and its OS cache."""
    import numpy as np
    from ffcv.libffcv import imdecode
    from ffcv.loader import OrderOption
    from ffcv.reader import Reader
    sources = {"raw": folder_of(root, "png", ".png", [SIDE] * ROWS),
               "jpg": root / "png",
               "keep": folder_of(root, "jpeg", ".jpg", [SIDE] * ROWS)}
    kept = {p.read_bytes() for p in sources["keep"].rglob("*.jpg")}
    for mode, source in sources.items():
        beton = root / f"{mode}.beton"
        assay(command, "pack", source, beton, "--mode", mode, "--page-size", "2M")
        images, labels = dumped(command, beton, ROWS, root)
        got, got_labels = loaded(beton, OrderOption.SEQUENTIAL, True)
        assert len(got) == ROWS, f"{mode}: {len(got)} samples"
        assert all(np.array_equal(a.ravel(), b.ravel()) for a, b in zip(labels, got_labels)), mode
        worst = max(int(np.abs(a.astype(int) - b).max()) for a, b in zip(images, got))
        mean = max(float(np.abs(a.astype(int) - b).mean()) for a, b in zip(images, got))
        print(f"{mode}: {ROWS} images, differ by at most {worst}, {mean:.3f} on average")
        if mode == "raw":
            assert worst == 0
        else:
            assert worst <= FAST_IDCT_LEVELS and mean < 2
            reader = Reader(str(beton))
            for i in range(ROWS):
                data = payload(reader, beton, i)
                assert mode == "jpg" or data.tobytes() in kept, f"sample {i} was not kept as it was"
                alone = np.empty((SIDE[1], SIDE[0], 3), "u1")
                imdecode(data, alone, SIDE[1], SIDE[0], SIDE[1], SIDE[0])
                assert np.array_equal(alone, got[i]), f"{mode}: sample {i}"
        want = collections.Counter((a.tobytes(), int(b.ravel()[0])) for a, b in zip(got, got_labels))
        for os_cache in (False, True):
            again = loaded(beton, OrderOption.QUASI_RANDOM, os_cache)
            have = collections.Counter((a.tobytes(), int(b.ravel()[0])) for a, b in zip(*again))
            assert have == want, f"{mode}: quasi-random order, os_cache={os_cache}"


def check_idx(command, root):
    import numpy as np
    from ffcv.loader import OrderOption
    beton = root / "idx.beton"
    assay(command, "pack", idx_of(root), beton)
    images, labels = dumped(command, beton, 70, root)
    got, got_labels = loaded(beton, OrderOption.SEQUENTIAL, True)
    assert len(got) == 70
    assert all(np.array_equal(a, b) for a, b in zip(images, got))
    assert all(np.array_equal(a.ravel(), b.ravel()) for a, b in zip(labels, got_labels))
    print("idx: 70 images, the same")


def check_sizes(command, root):
    """Pictures of many sizes, through the decoder that people train with."""
    import numpy as np
    from ffcv.fields.decoders import CenterCropRGBImageDecoder
    from ffcv.loader import OrderOption
    sizes = [(150 + 13 * i % 90, 120 + 29 * i % 170) for i in range(ROWS)]
    source = folder_of(root, "sizes", ".jpg", sizes)
    beton = root / "sizes.beton"
    assay(command, "pack", source, beton, "--mode", "keep")
    got, labels = loaded(beton, OrderOption.SEQUENTIAL, True,
                         CenterCropRGBImageDecoder((64, 64), 1))
    assert len(got) == ROWS and all(a.shape == (64, 64, 3) for a in got)
    assert all(a.std() > 1 for a in got), "an image without content"
    assert {int(np.ravel(b)[0]) for b in labels} == {0, 1}
    print(f"sizes: {ROWS} images of many sizes")


def cells(command, beton, samples, field, root):
    import numpy as np
    values = []
    for i in range(samples):
        out = root / "cell.npy"
        assay(command, "dump", beton, "--sample", i, "--field", field, "--output", out, "--force")
        values.append(np.load(out))
    return values


def check_columns(command, root):
    """Fields other than image and label, from the sources that have them."""
    import json
    import numpy as np
    from ffcv.fields import JSONField
    from ffcv.fields.basics import FloatDecoder, IntDecoder
    from ffcv.fields.bytes import BytesDecoder
    from ffcv.fields.ndarray import NDArrayDecoder
    from ffcv.loader import Loader, OrderOption
    from ffcv.reader import Reader
    rng = np.random.default_rng(9)
    table = root / "table.csv"
    lines = ["text,count,score,label"]
    lines += [f"the {i}th {'very ' * (i % 5)}small text,{i * i - 7},{i / 7 - 1:.17g},{i % 3}"
              for i in range(ROWS)]
    table.write_text("\n".join(lines) + "\n")
    objects = [{"text": f"line {i}", "label": i % 2, "boxes": [[i, 2, 3.5], []]}
               for i in range(ROWS)]
    (root / "lines.jsonl").write_text("".join(json.dumps(o) + "\n" for o in objects))
    np.savez(root / "arrays.npz", x_train=rng.normal(size=(ROWS, 3, 5)).astype("f4"),
             y_train=np.arange(ROWS) % 4)
    decoders = {"Bytes": BytesDecoder, "JSON": BytesDecoder, "Int": IntDecoder,
                "Float": FloatDecoder, "NDArray": NDArrayDecoder}
    seen = set()
    for source in ("table.csv", "lines.jsonl", "arrays.npz"):
        beton = root / (source + ".beton")
        assay(command, "pack", root / source, beton)
        reader = Reader(str(beton))
        handlers = reader.handlers
        kinds = {name: type(h).__name__.removesuffix("Field") for name, h in handlers.items()}
        if "json" in kinds:
            kinds["json"] = "JSON"  # FFCV's reader makes a BytesField of it
        loader = Loader(str(beton), batch_size=BATCH, num_workers=1, os_cache=True,
                        order=OrderOption.SEQUENTIAL, drop_last=False,
                        pipelines={name: [decoders[kind]()] for name, kind in kinds.items()})
        got = {name: [] for name in kinds}
        for batch in loader:
            for name, column in zip(kinds, batch):
                got[name].extend(np.array(column))
        for k, (name, kind) in enumerate(kinds.items()):
            want = cells(command, beton, ROWS, name, root)
            assert len(got[name]) == ROWS, f"{source}: {name}: {len(got[name])} values"
            for i, (a, b) in enumerate(zip(want, got[name])):
                if kind in ("Bytes", "JSON"):  # what FFCV leaves behind the value is chance
                    b = b[:int(reader.metadata[i][f"f{k}"]["size"])]
                same = np.array_equal(np.ravel(a), np.ravel(b))
                if kind == "JSON":
                    same = same and JSONField.unpack(b) in objects
                assert same, f"{source}: {name} ({kind}), sample {i}: {a} is not {b}"
            seen.add(kind)
        print(f"{source}: {', '.join(f'{n} ({k})' for n, k in kinds.items())}: the same")
    assert {"Bytes", "JSON", "Int", "Float", "NDArray"} <= seen, seen


def main(command):
    python = os.environ.get("ASSAY_FFCV_PYTHON")
    if not python:
        print("skipped: set ASSAY_FFCV_PYTHON to a Python that has FFCV")
        return SKIPPED
    if os.environ.get("ASSAY_FFCV_INSIDE") != "1":
        return subprocess.run([python, __file__, command], check=False,
                              env={**os.environ, "ASSAY_FFCV_INSIDE": "1"}).returncode
    with tempfile.TemporaryDirectory(prefix="assay-ffcv-") as root:
        root = pathlib.Path(root)
        check_modes(command, root)
        check_idx(command, root)
        check_sizes(command, root)
        check_columns(command, root)
    print("FFCV reads what assay writes")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
