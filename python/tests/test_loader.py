"""Loader, Batch, Array: contents, lifetime, threads, interruption."""
import gc
import pickle
import threading

import numpy as np
import pytest
from conftest import ROWS, SIDE, images

import assay


def epoch(loader, number=None):
    """Rows and images of an epoch, copied."""
    rows, pictures = [], []
    for batch in loader.epoch(number):
        rows.append(np.array(batch.rows))
        pictures.append(np.array(batch["image"]))
    return np.concatenate(rows), np.concatenate(pictures)


def test_every_field(beton):
    loader = assay.Loader(beton, batch=32, order="sequential", threads=2)
    at = 0
    for batch in loader:
        n = batch.n
        assert batch.names == ("image", "label", "weight", "where", "text", "note")
        assert len(batch) == 6 and batch.place == at
        assert (batch.rows.numpy() == np.arange(at, at + n)).all()
        assert (np.asarray(batch["image"]) == images()[at:at + n]).all()
        assert batch["label"].tolist() == [i % 5 for i in range(at, at + n)]
        assert batch["weight"].tolist() == [i / 4 for i in range(at, at + n)]
        where = batch["where"].numpy()
        assert where.shape == (n, 2, 3) and where.dtype == np.float32
        assert (where[:, 0, 0] == np.arange(at, at + n)).all()
        assert batch["text"].lengths.tolist() == [i % 7 for i in range(at, at + n)]
        at += n
    assert at == ROWS and len(loader) == 7


def test_seeds_and_threads(beton):
    steps = "image: flip | translate(2) | normalize(cifar10)"
    one = epoch(assay.Loader(beton, steps, batch=32, seed=7, threads=1))
    two = epoch(assay.Loader(beton, steps, batch=32, seed=7, threads=3))
    inline = epoch(assay.Loader(beton, steps, batch=32, seed=7, threads=-1))
    other = epoch(assay.Loader(beton, steps, batch=32, seed=8, threads=1))
    for again in (two, inline):
        assert (one[0] == again[0]).all() and (one[1] == again[1]).all()
    assert (one[0] != other[0]).any()


def test_epochs_count_on(beton):
    loader = assay.Loader(beton, "image", batch=64, seed=1)
    first, second = epoch(loader)[0], epoch(loader)[0]
    assert (first != second).any()
    assert (epoch(loader, 0)[0] == first).all()
    assert (epoch(loader)[0] == second).all()


def test_batches_stay(beton):
    """All of an epoch is kept, and the loader is gone."""
    loader = assay.Loader(beton, "image; label", batch=16, order="sequential")
    kept = [(batch["image"], np.asarray(batch["label"])) for batch in loader]
    list(loader)
    del loader
    gc.collect()
    for i, (picture, label) in enumerate(kept):
        part = images()[16 * i:16 * (i + 1)]
        assert (picture.numpy() == part).all()
        assert (label == np.arange(16 * i, 16 * i + len(part)) % 5).all()


def test_unpacking_and_dicts(beton):
    loader = assay.Loader(beton, {"a": "image: u8(layout=nchw)", "b": "label"}, batch=50)
    for a, b in loader:
        assert a.shape == (50, 3, SIDE, SIDE) and b.shape == (50,)
    batch = next(iter(loader))
    assert batch.names == ("a", "b") and batch[-1].dtype == "i64"
    with pytest.raises(KeyError, match="there are"):
        batch["c"]
    with pytest.raises(IndexError):
        batch[2]


def test_subsets(beton):
    rows = np.array([5, 1, 9, 9], dtype=np.uint64)
    loader = assay.Loader(beton, "label", batch=4, order="given", rows=rows)
    assert next(iter(loader)).rows.tolist() == [5, 1, 9, 9]
    loader = assay.Loader(beton, "label", batch=50, split="test", order="sequential")
    assert [r for b in loader for r in b.rows.tolist()] == list(range(150, 200))
    loader = assay.Loader(beton, "label", batch=50, filter=lambda file, row, label: label == 3)
    assert {v for b in loader for v in b["label"].tolist()} == {3}
    weights = np.zeros(ROWS)
    weights[17] = 1
    loader = assay.Loader(beton, "label", batch=50, order="weighted", weights=weights)
    assert {r for b in loader for r in b.rows.tolist()} == {17}


def test_ranks_share(beton):
    seen = []
    for rank in range(3):
        for batch in assay.Loader(beton, "label", batch=10, rank=rank, world=3, seed=4):
            seen += batch.rows.tolist()
    assert sorted(seen) == list(range(ROWS))


def test_resume(beton):
    loader = assay.Loader(beton, "image; label", batch=32, seed=2)
    whole = [b.rows.tolist() for b in loader.epoch(3)]
    running = loader.epoch(3)
    for _ in range(2):
        next(running)
    state = loader.state()
    other = assay.Loader(beton, "image; label", batch=32, seed=2, threads=2)
    other.resume(state)
    assert [b.rows.tolist() for b in other] == whole[2:]
    assert [b.rows.tolist() for b in other] == [b.rows.tolist() for b in loader.epoch(4)]
    with pytest.raises(assay.InvalidArgument, match="state"):
        other.resume(state[:10])
    with pytest.raises(assay.InvalidArgument, match="damaged"):
        other.resume(bytes(64))


def test_sizes(jpegs):
    loader = assay.Loader(jpegs, "image: resize(32)", batch=8)
    assert next(iter(loader))[0].shape == (8, 32, 32, 3)
    loader.set_size("image", 24)
    assert next(iter(loader))[0].shape == (8, 24, 24, 3)
    with pytest.raises(assay.NotFound, match="no output"):
        loader.set_size("picture", 24)


def test_pickling_makes_another(beton):
    loader = assay.Loader(beton, "image; label", batch=32, seed=2)
    list(loader)
    other = pickle.loads(pickle.dumps(loader))
    assert [b.rows.tolist() for b in other] == [b.rows.tolist() for b in loader]


def test_hooks(beton):
    def invert(src, dst, shape, random, sample, epoch):
        assert shape == (SIDE, SIDE, 3) and 0 <= sample < ROWS and epoch == 2
        np.frombuffer(dst, np.uint8)[:] = 255 - np.frombuffer(src, np.uint8)

    loader = assay.Loader(beton, "image: user(hook=invert)", batch=64, order="sequential",
                          hooks={"invert": invert}, threads=2)
    assert (epoch(loader, 2)[1] == 255 - images()).all()


def test_a_hook_that_raises(beton):
    def fail(*args):
        raise RuntimeError("no")
    loader = assay.Loader(beton, "image: user(hook=fail)", batch=64, hooks={"fail": fail})
    with pytest.raises(RuntimeError, match="no"):
        list(loader)
    with pytest.raises(ZeroDivisionError):
        assay.Loader(beton, filter=lambda *a: 1 / 0)


def test_two_loaders_in_two_threads(beton):
    want = epoch(assay.Loader(beton, "image: flip; label", batch=16, seed=5), 1)
    got = [None] * 4

    def run(i):
        loader = assay.Loader(beton, "image: flip; label", batch=16, seed=5, threads=1 + i % 2)
        for _ in range(5):
            got[i] = epoch(loader, 1)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for rows, pictures in got:
        assert (rows == want[0]).all() and (pictures == want[1]).all()


def test_one_loader_in_two_threads_is_refused(beton):
    inside, go_on = threading.Event(), threading.Event()

    def wait(src, dst, *rest):
        inside.set()
        go_on.wait(10)

    loader = assay.Loader(beton, "image: user(hook=wait)", batch=ROWS, hooks={"wait": wait},
                          threads=1)
    thread = threading.Thread(target=lambda: list(loader))
    thread.start()
    assert inside.wait(10)
    with pytest.raises(assay.InvalidArgument, match="another thread"):
        loader.state()
    go_on.set()
    thread.join()


def test_closing(beton):
    with assay.Loader(beton, "image", batch=16) as loader:
        batch = next(iter(loader))
    assert batch["image"].numpy().shape == (16, SIDE, SIDE, 3)
    with pytest.raises(assay.InvalidArgument, match="closed"):
        list(loader)
    loader.close()


def test_what_it_says(beton):
    loader = assay.Loader(beton, "image; label", batch=16)
    list(loader)
    assert "image: u8" in loader.plan() and repr(loader).startswith("assay.Loader(")
    assert loader.stats()["samples"] == ROWS and loader.skipped == 0


@pytest.mark.parametrize("wrong, error, words", [
    (dict(pipelines="image: flipp"), assay.InvalidArgument, "flipp"),
    (dict(pipelines="nothing"), assay.NotFound, "nothing"),
    (dict(pipelines="label: flip"), assay.InvalidArgument, "flip"),
    (dict(batch=-1), assay.InvalidArgument, "batch"),
    (dict(threads=-2), assay.InvalidArgument, "threads"),
    (dict(ahead=-1), assay.InvalidArgument, "ahead"),
    (dict(order="sideways"), assay.InvalidArgument, "sideways"),
    (dict(split="none"), assay.NotFound, "none"),
    (dict(rank=2, world=2), assay.InvalidArgument, "rank"),
    (dict(cache="tape"), assay.InvalidArgument, "tape"),
    (dict(rows=np.array([ROWS], "u8")), assay.InvalidArgument, "row"),
    (dict(rows=np.array([1.5])), TypeError, "rows"),
    (dict(rows=np.zeros((2, 2), "i8")), TypeError, "rows"),
    (dict(order="weighted", weights=np.ones(3)), assay.InvalidArgument, "weight"),
    (dict(order="weighted", weights=-np.ones(ROWS)), assay.InvalidArgument, "weight"),
    (dict(file_weights=np.ones(3)), assay.InvalidArgument, "each file"),
    (dict(hooks={"a": 3}), TypeError, "callable"),
    (dict(hooks=[1]), TypeError, "dict"),
    (dict(custom=[("image",)]), TypeError, "tuples|takes"),
    (dict(batch="many"), TypeError, "int"),
    (dict(batch=1 << 40), OverflowError, "batch|large"),
    (dict(seed=-1), OverflowError, "negative|unsigned"),
    (dict(context=3), TypeError, "Context"),
])
def test_bad_arguments(beton, wrong, error, words):
    with pytest.raises(error, match=words):
        assay.Loader(beton, **wrong)


def test_errors_carry_their_words():
    with pytest.raises(assay.NotFound) as caught:
        assay.Loader("absent.beton")
    e = caught.value
    assert isinstance(e, assay.Error) and isinstance(e, FileNotFoundError)
    assert e.status == "NOTFOUND" and e.where == "absent.beton" and "where: absent" in str(e)
    with pytest.raises(assay.InvalidArgument) as caught:
        assay.Loader("absent.beton", threads=-9)
    assert caught.value.message == "-9 threads" and isinstance(caught.value, ValueError)


def test_damage(beton, folder):
    data = bytearray(beton.read_bytes())
    cut = folder / "cut.beton"
    cut.write_bytes(data[:5000])
    with pytest.raises(assay.FormatError):
        assay.Loader(cut)
    cut.write_bytes(b"")
    with pytest.raises(assay.FormatError):
        assay.Loader(cut)


def test_damaged_samples(jpegs, folder):
    data = bytearray(jpegs.read_bytes())
    at = data.index(b"\xff\xd8\xff")
    data[at + 2:at + 60] = bytes(58)
    path = folder / "damaged.beton"
    path.write_bytes(data)
    loader = assay.Loader(path, "image: resize(16); label", batch=8, order="sequential")
    for _ in range(2):
        with pytest.raises(assay.FormatError) as caught:
            list(loader)
        assert "sample 0" in caught.value.where
    loader = assay.Loader(path, "image: resize(16); label", batch=8, skip_damaged=True)
    assert sum(b.n for b in loader) == 39 and loader.skipped == 1
