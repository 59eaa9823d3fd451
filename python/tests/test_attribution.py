"""Attribution: documents, arrays of scores, features that are handed over; what is refused."""
import os
import pathlib
import subprocess
import sys
import threading

import numpy as np
import pytest
from conftest import SANITIZED

import assay

FASHION = pathlib.Path("/usr/share/datasets/fashion-mnist")
SMALL = dict(method="grad-dot", models=1, targets=4, epochs=2, seed=3)


@pytest.fixture(scope="module")
def fashion(folder):
    """The first rows of Fashion-MNIST."""
    if not FASHION.is_dir():
        pytest.skip("Fashion-MNIST is not installed")
    path = folder / "fashion.beton"
    assay.pack(FASHION, path, limit=300)
    return path


@pytest.fixture(scope="module")
def features():
    """Of two models: rows, targets, weights."""
    rng = np.random.default_rng(4)
    return ([rng.normal(size=(300, 8)).astype("f4") for _ in range(2)],
            [rng.normal(size=(5, 8)).astype("f4") for _ in range(2)],
            [rng.random(300).astype("f4") for _ in range(2)])


def trak(features, targets, weights, ridge=1.0):
    """The formula, in float64."""
    out, q = 0, 0
    for phi, t, w in zip(features, targets, weights):
        phi, t = phi.astype("f8"), t.astype("f8")
        kernel = phi.T @ phi
        kernel += ridge * np.trace(kernel) / len(kernel) * np.eye(len(kernel))
        out, q = out + phi @ np.linalg.solve(kernel, t.T), q + w.astype("f8")
    return out / len(features) * (q / len(features))[:, None]


# ---- rows behind predictions

def test_files_of_onnx_and_shards(fashion, folder):
    assay.train(fashion, folder / "run", model="mlp", epochs=1)
    assay.export_onnx(folder / "run" / "model.safetensors", folder / "m.onnx")
    call = dict(method="trak", dim=64, targets=3, checkpoints=folder / "m.onnx", scores=True)
    plain, shifted = assay.attribute(fashion, **call), assay.attribute(fashion, **call, mean=.2, std=[.5])
    assert plain.document["model"] == "onnx" and (plain.scores != shifted.scores).any()
    call["keep"] = folder / "kept"
    for i in (1, 2):
        part = assay.attribute(fashion, **dict(call, scores=False), shard=(i, 2))
        assert part.document["shards"] == 2 and len(part) == 0
    gathered = assay.attribute(fashion, **call)
    assert np.allclose(gathered.scores, plain.scores, atol=1e-5 * abs(plain.scores).max())
    with pytest.raises(assay.InvalidArgument, match="std"):
        assay.attribute(fashion, **call, std=0)
    with pytest.raises(assay.InvalidArgument, match="shard"):
        assay.attribute(fashion, **dict(call, scores=False), shard=(3, 2))


def test_rows_are_named(fashion, folder):
    told = []
    found = assay.attribute(fashion, **SMALL, top=3, scores=True, csv=folder / "named.csv",
                            progress=lambda *a: told.append(a))
    assert told and all(len(t) == 7 for t in told)
    assert found.scores.shape == (300, 4) and found.scores.dtype == np.float32
    assert found.scores.flags.writeable and found.document["schema"] == "assay.attribute/1"
    for t, target in enumerate(found.targets):
        column = found.scores[:, t]
        assert target["row"] == 300 + t
        assert [r["row"] for r in target["helpful"]] == np.argsort(-column, kind="stable")[:3].tolist()
        assert target["harmful"][0]["row"] == column.argmin()
        assert target["helpful"][0]["score"] == pytest.approx(column.max(), rel=1e-5)
    assert (folder / "named.csv").read_text().count("\n") == 1 + 4 * 6
    assert len(found) == 4 and "300 rows, 4 targets" in repr(found)


def test_scores_in_a_file_are_mapped(fashion, folder):
    path = folder / "scores.npy"
    found = assay.attribute(fashion, **SMALL, scores=path, context=assay.Context(1))
    again = assay.attribute(fashion, **SMALL, scores=True, context=assay.Context(2))
    assert isinstance(found.scores, np.memmap) and not found.scores.flags.writeable
    assert (np.load(path) == found.scores).all() and (found.scores == again.scores).all()
    assert assay.attribute(fashion, **SMALL).scores is None
    other = assay.attribute(fashion, **SMALL, ask="logit", target_class=3, scores=True)
    assert (other.scores != found.scores).any()
    with pytest.raises(assay.Error):
        assay.attribute(fashion, **SMALL, ask="nothing")


def test_checkpoints_and_kept_features(fashion, folder):
    assay.train(fashion, folder / "attributed", model="mlp", epochs=1, seed=2)
    options = dict(checkpoints=folder / "attributed", method="trak", dim=64, targets=3)
    found = assay.attribute(fashion, **options, scores=True, keep=folder / "kept")
    again = assay.attribute(fashion, **options, scores=True, keep=folder / "kept")
    assert (found.scores == again.scores).all() and os.listdir(folder / "kept")
    with pytest.raises(assay.Unsupported):
        assay.attribute(fashion, **{**options, "method": "replay"})


def test_a_page(fashion, folder):
    found = assay.attribute(fashion, **SMALL, page=folder / "at-once.html")
    found.write_page(folder / "why.html")
    page = (folder / "why.html").read_text()
    assert page.count("<section") == 4 and "http" not in page.replace("http-equiv", "")
    assert (folder / "at-once.html").read_text() == page
    assert "default-src 'none'" in page and page.count('<img alt="row ') == 4 * 21
    assert all(f'href="#t{i}"' in page and f'id="t{i}"' in page for i in range(4))
    with pytest.raises(assay.InvalidArgument):
        found.write_page(folder / "absent" / "why.html")
    with pytest.raises(assay.InvalidArgument):
        assay.attribute(fashion, **SMALL, page=folder / "absent" / "why.html")
    for target in found.targets:
        target["helpful"] = []
    found.write_page(folder / "few.html")
    assert (folder / "few.html").read_text().count("<li>none") == 4
    found.document["targets"] *= 200  # more than fit
    found.write_page(folder / "many.html")
    page = (folder / "many.html").read_text()
    assert len(page) <= 8_000_000 and f"These are the first {page.count('<section')}:" in page
    found.document["targets"] = []
    found.write_page(folder / "none.html")
    assert "Nothing was asked about" in (folder / "none.html").read_text()
    for wrong in ([{"row": 600}], [{"row": -1}], [{}], 3):
        found.document["targets"] = wrong
        with pytest.raises(assay.FormatError):
            found.write_page(folder / "wrong.html")
    assert not (folder / "wrong.html").exists()


def test_passages_of_a_text(folder):
    text = folder / "verses.txt"
    text.write_text("the rose is red, the violet is blue\n" * 60)
    assay.train(text, folder / "verses", model="gpt-tiny", epochs=1, batch=8, tokens="char",
                settings={"context": 16})
    options = dict(checkpoints=folder / "verses", top=2, dim=32)
    found = assay.attribute(text, passages="the rose", scores=True, **options)
    assert found.targets[0]["text"] == "the rose" and len(found.targets[0]["helpful"]) == 2
    assert found.scores.shape == (found.document["rows"], 1)
    with pytest.raises(assay.Error):
        assay.attribute(text, passages=[""], **options)


def test_datamodels(fashion, folder):
    options = dict(rows=120, targets=3, models=20, held_subsets=4, held_seeds=2, epochs=1, batch=20,
                   keep=folder / "margins")
    found = assay.datamodels(fashion, **options, weights=folder / "weights.npy")
    again = assay.datamodels(fashion, **options, weights=True)
    assert found.scores.shape == (120, 3) and (found.scores == again.scores).all()
    assert found.targets[0]["helpful"][0]["row"] == found.scores[:, 0].argmax()
    with pytest.raises(assay.InvalidArgument, match="auto"):
        assay.datamodels(fashion, **options, penalty="some")


# ---- measuring

def test_measures(fashion, folder):
    """One truth, kept, for both; scores as an array and as a file."""
    rng = np.random.default_rng(1)
    mine = rng.normal(size=(200, 20)).astype("f4")
    np.save(folder / "mine.npy", mine)
    keep = folder / "truth"
    found = assay.lds(fashion, protocol="toy", methods=["grad-dot"], models=[1], rounds=-1, keep=keep,
                      scores={"array": mine, "file": folder / "mine.npy"})
    by = {m["method"]: m["lds"] for m in found["methods"]}
    assert set(by) == {"grad-dot", "array", "file"} and by["array"] == by["file"]
    assert by["grad-dot"] > by["array"] and 0 < found["ceiling"] <= 1
    found = assay.counterfactual(fashion, protocol="toy", methods="random", removals=[5, 10], seeds=1,
                                 targets=2, rounds=-1, scores={"mine": mine})
    assert [m["method"] for m in found["methods"]] == ["random", "mine"]
    assert [r["removed"] for r in found["methods"][0]["removals"]] == [5, 10]


def test_wrong_labels(fashion):
    found = assay.mislabels(fashion, methods=["probability", "loss"], model="mlp", members=3, epochs=4,
                            flip=0.1, rounds=-1, top=5)
    assert [m["method"] for m in found["methods"]] == ["probability", "loss"]
    assert found["methods"][0]["auroc"] > 0.6 and len(found["named"]) == 5


def test_uses_of_a_table(fashion, folder):
    found = assay.attribute(fashion, **{**SMALL, "targets": 40}, scores=folder / "table.npy")
    leaks = assay.trace(fashion, "leaks", folder / "table.npy", top=3)
    again = assay.trace(fashion, "leaks", found.scores, top=3)
    assert leaks.pop("seconds") > 0 and again.pop("seconds") > 0
    assert leaks == again and leaks["schema"].startswith("assay.trace")
    rows = folder / "rows.txt"
    assay.trace(fashion, "select", found.scores, count=30, list=rows)
    assert assay.select(fashion, folder / "chosen.beton", rows=rows).rows == 30
    both = assay.trace(fashion, "compare", found.scores, against=found.scores[:, ::-1].copy())
    assert both != leaks
    with pytest.raises(assay.NotFound):
        assay.trace(fashion, "nothing", found.scores)
    with pytest.raises(assay.ShapeError):
        assay.trace(fashion, "compare", found.scores, against=found.scores[:, :5])
    with pytest.raises(assay.NumericError):
        assay.trace(fashion, "clusters", np.full((300, 40), np.nan, "f4"))
    with pytest.raises(assay.DTypeError):
        assay.trace(fashion, "leaks", np.zeros((300, 40), "i4"))


def test_lists_and_costs():
    assert {"leaks", "select", "clusters", "compare"} <= set(assay.trace_uses())
    assert {"trak", "ekfac", "replay"} <= set(assay.attribution_methods())
    assert "probability" in assay.mislabels_methods()
    cost = assay.bench_attribute(model="mlp", dim=64, seconds=0.01)
    assert all(v > 0 for k, v in cost.items() if k.endswith("_us"))
    with pytest.raises(assay.NotFound):
        assay.bench_attribute(model="nothing")


# ---- features from elsewhere

def test_features_are_scored_where_they_lie(features, folder):
    want = trak(*features)
    found = assay.score(*features, scores=True, top=2)
    assert np.abs(found.scores - want).max() < 1e-5 * np.abs(want).max()
    assert found.targets[1]["helpful"][0]["row"] == found.scores[:, 1].argmax()
    files = []
    for p, part in enumerate(features):
        files.append([folder / f"part-{p}-{m}.npy" for m in range(2)])
        for path, array in zip(files[-1], part):
            np.save(path, array)
    by_file = assay.score(*files, scores=folder / "tau.npy", top=2)
    assert (by_file.scores == found.scores).all() and by_file.targets == found.targets
    one = assay.score(*(part[0] for part in features), scores=True)
    assert np.allclose(one.scores, trak(*([part[0]] for part in features)), atol=1e-6)
    with pytest.raises(assay.Unsupported):
        one.write_page(folder / "no.html")


def test_arrays_of_all_kinds(features):
    rows, targets, weights = (part[0] for part in features)
    want = assay.score(rows, targets, weights, scores=True).scores
    wide = np.repeat(rows, 2, axis=1)[:, ::2]  # with gaps: copied
    odd = np.frombuffer(b"x" + rows.astype("f8").tobytes(), "f8", offset=1).reshape(rows.shape)
    turned = np.asfortranarray(rows)
    for same in (wide, odd, turned, memoryview(rows)):
        assert (assay.score(same, targets.astype("f8"), weights[:, None], scores=True).scores == want).all()
    half = assay.score(rows.astype("f2"), targets.astype("f2"), weights, scores=True).scores
    assert 0 < np.abs(half - want).max() < 0.01 * np.abs(want).max()
    rows.flags.writeable = False
    try:
        assert (assay.score(rows, targets, weights, scores=True).scores == want).all()
    finally:
        rows.flags.writeable = True
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    found = assay.score(torch.from_numpy(rows), torch.from_numpy(targets), torch.from_numpy(weights),
                        scores=True)
    assert (found.scores == want).all()


def test_features_that_are_refused(features, folder):
    rows, targets, weights = (part[0] for part in features)
    with pytest.raises(assay.DTypeError, match="features of model 0") as e:
        assay.score(rows.astype("i4"), targets)
    assert e.value.where == "features of model 0" and "float32" in e.value.help
    spoiled = targets.copy()
    spoiled[3, 2] = np.nan
    with pytest.raises(assay.NumericError) as e:
        assay.score(rows, spoiled)
    assert e.value.where == "targets of model 0, row 3"
    for wrong in [(rows, targets[:, :5]), (rows[0], targets), (rows, targets, weights[:-1]),
                  (rows[:0], targets), ([rows, rows[:9]], [targets, targets])]:
        with pytest.raises(assay.ShapeError):
            assay.score(*wrong)
    for wrong in [(), (rows,), ([rows, rows], targets), (rows, targets, [weights, weights]), ([], [])]:
        with pytest.raises(assay.InvalidArgument):
            assay.score(*wrong)
    with pytest.raises(assay.InvalidArgument, match="files or arrays"):
        assay.score(rows, folder / "targets.npy")
    with pytest.raises(assay.NotFound, match="absent.npy"):
        assay.score(folder / "absent.npy", folder / "absent.npy")
    with pytest.raises(TypeError, match="array"):
        assay.score([3], [targets])
    (folder / "text.npy").write_text("no array")
    with pytest.raises(assay.FormatError):
        assay.score(folder / "text.npy", folder / "text.npy")
    with pytest.raises(assay.NumericError):
        assay.score(np.ones((9, 4), "f4"), np.ones((1, 4), "f4"), ridge=0)
    with pytest.raises(assay.InvalidArgument):
        assay.score(rows, targets, ridge=-1)


def test_bad_questions(fashion, folder):
    for wrong, error in [(dict(method="nothing"), assay.NotFound), (dict(model="nothing"), assay.Error),
                         (dict(targets=-1), assay.InvalidArgument), (dict(damping=-2), assay.InvalidArgument),
                         (dict(centre="left"), assay.InvalidArgument), (dict(lr="x"), TypeError),
                         (dict(models=1 << 40), OverflowError), (dict(checkpoints="absent"), assay.NotFound)]:
        with pytest.raises(error):
            assay.attribute(fashion, **{**SMALL, **wrong})
    with pytest.raises(assay.NotFound):
        assay.attribute(folder / "absent.beton")
    with pytest.raises(assay.NotFound):
        assay.lds(fashion, protocol="nothing")
    with pytest.raises(assay.InvalidArgument, match="auto"):
        assay.lds(fashion, ridge="some")
    with pytest.raises(TypeError):
        assay.attribute(fashion, passages=[3])


# ---- work is shared and ended

def test_others_run_meanwhile(fashion):
    """The GIL is free while the library works."""
    counted, stop = [0], threading.Event()

    def count():
        while not stop.wait(0.001):
            counted[0] += 1
    other = threading.Thread(target=count)
    other.start()
    try:
        assay.attribute(fashion, **{**SMALL, "epochs": 40 if not SANITIZED else 4})
    finally:
        stop.set()
        other.join()
    assert counted[0] >= 5


def test_the_work_can_be_cancelled(fashion):
    with pytest.raises(assay.Cancelled):
        assay.datamodels(fashion, models=20000, progress=lambda *a: False)
    with pytest.raises(ZeroDivisionError):
        assay.lds(fashion, protocol="toy", progress=lambda *a: 1 / 0)


WORK = """
import os, signal, sys, threading, time
import assay
sent = []
def interrupt():
    time.sleep(0.7)
    sent.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt, daemon=True).start()
try:
    assay.datamodels(sys.argv[1], models=20000, targets=2)
except KeyboardInterrupt:
    print(time.monotonic() - sent[0], flush=True)
    os._exit(0)
"""


def test_keyboard_interrupt_ends_it(fashion):
    done = subprocess.run([sys.executable, "-c", WORK, str(fashion)], capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < (10.0 if SANITIZED else 2.0)


def test_arrays_are_given_back(features):
    rows, targets, weights = (part[0] for part in features)
    before = [sys.getrefcount(a) for a in (rows, targets, weights)]
    for _ in range(50):
        assay.score(rows, targets, weights)
        with pytest.raises(assay.ShapeError):
            assay.score(rows, targets[:, :3])
        with pytest.raises(TypeError):
            assay.score([rows, 3], [targets, targets])
    assert before == [sys.getrefcount(a) for a in (rows, targets, weights)]
