"""Array: the buffer protocol, DLPack, parts, copies."""
import gc

import numpy as np
import pytest

import assay


def hash_of(array):
    """A consumer that takes bytes without strides."""
    import hashlib
    return hashlib.sha256(array).digest()


@pytest.fixture
def batch(beton):
    return next(iter(assay.Loader(beton, batch=8, order="sequential")))


def test_shares_memory(batch):
    one, two = np.asarray(batch["image"]), batch["image"].numpy()
    assert np.shares_memory(one, two)
    one[0, 0, 0, 0] = 77
    assert memoryview(batch["image"])[0, 0, 0, 0] == 77 and two[0, 0, 0, 0] == 77
    assert np.shares_memory(np.from_dlpack(batch["image"]), one)


def test_outlives_the_batch(beton):
    def part():
        return np.asarray(next(iter(assay.Loader(beton, batch=8, order="sequential")))["label"])
    label = part()
    gc.collect()
    assert label.tolist() == [0, 1, 2, 3, 4, 0, 1, 2]


def test_dlpack_ends_without_a_taker(batch):
    for _ in range(1000):
        capsule = batch["image"].__dlpack__()
        assert "dltensor" in repr(capsule)
        versioned = batch["image"].__dlpack__(max_version=(1, 1))
        assert "dltensor_versioned" in repr(versioned)
    copy = batch["image"].__dlpack__(copy=True, max_version=(1, 0))
    del capsule, versioned, copy
    assert batch["image"].__dlpack_device__() == (1, 0)


def test_dlpack_refuses(batch):
    with pytest.raises(BufferError, match="device"):
        batch["image"].__dlpack__(dl_device=(2, 0))
    with pytest.raises(BufferError, match="stream"):
        batch["image"].__dlpack__(stream=1)
    with pytest.raises(TypeError):
        batch["image"].__dlpack__(max_version=1)


def test_parts(batch):
    image = batch["image"]
    assert image[2].shape == (16, 16, 3) and (image[2].numpy() == image.numpy()[2]).all()
    assert (image[2:7:2].numpy() == image.numpy()[2:7:2]).all()
    assert image[-1].shape == (16, 16, 3) and len(image) == 8
    assert batch["label"][3] == 3 and list(batch["label"])[:3] == [0, 1, 2]
    assert image[5:2].shape == (0, 16, 16, 3)
    with pytest.raises(IndexError):
        image[8]
    with pytest.raises(ValueError):
        image[::-1]
    with pytest.raises(TypeError):
        image["a"]


def test_copies(batch):
    part = batch["image"][1:7:2]
    copy = part.copy()
    assert (copy.numpy() == part.numpy()).all()
    assert not np.shares_memory(copy.numpy(), part.numpy())
    assert part.tobytes() == part.numpy().tobytes()
    with pytest.raises(BufferError, match="contiguous"):
        hash_of(part)


def test_types(beton):
    steps = "a = image: normalize(unit, type=f16); b = image: normalize(unit, type=bf16)"
    a, b = next(iter(assay.Loader(beton, steps, batch=4)))
    assert a.dtype == "f16" and a.numpy().dtype == np.float16
    assert b.dtype == "bf16" and b.numpy().dtype == np.uint16  # NumPy has no bf16: its bits
    wide = (b.numpy().astype(np.uint32) << 16).view(np.float32)
    assert np.abs(wide - a.numpy().astype(np.float32)).max() < 0.01


def test_what_it_says(batch):
    image = batch["image"]
    assert repr(image) == "assay.Array(u8, shape=(8, 16, 16, 3))"
    assert image.nbytes == 8 * 16 * 16 * 3 and image.ndim == 4 and image.lengths is None
    with pytest.raises(TypeError):
        assay.Array()
