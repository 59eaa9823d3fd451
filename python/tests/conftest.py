"""What the tests share: small files, made once."""
import os
import pathlib

import pytest

import assay

np = pytest.importorskip("numpy", reason="these tests compare with NumPy")

ROWS, SIDE = 200, 16


def images(rows=ROWS, side=SIDE, seed=3):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (rows, side, side, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("assay")


@pytest.fixture(scope="session")
def beton(folder):
    """Raw images of one size, a label, an array, text, JSON, a float."""
    path = folder / "raw.beton"
    pixels = images()
    fields = {"image": "image", "label": "int", "weight": "float",
              "where": ("ndarray", "<f4", (2, 3)), "text": "bytes", "note": "json"}
    with assay.Writer(path, fields, ROWS, mode="raw", classes=[f"c{i}" for i in range(5)],
                      train_rows=150) as writer:
        for i in range(ROWS):
            writer.add(pixels[i], i % 5, i / 4, np.full((2, 3), i, "f4"), b"x" * (i % 7),
                       {"row": i})
    return path


@pytest.fixture(scope="session")
def jpegs(folder):
    """JPEGs of different sizes, and a label."""
    path = folder / "jpg.beton"
    rng = np.random.default_rng(5)
    with assay.Writer(path, {"image": "image", "label": "int"}, 40, mode="jpg") as writer:
        for i in range(40):
            small = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
            picture = small.repeat(10 + i % 5, 0).repeat(12 + i % 3, 1)
            writer.add(picture, i % 3)
    return path


def rss():
    """Bytes of this process's memory that are its own."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    return 0


SANITIZED = "libasan" in os.environ.get("LD_PRELOAD", "")
