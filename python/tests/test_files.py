"""Dataset, Writer, and the jobs over whole files."""
import json
import pickle

import numpy as np
import pytest
from conftest import ROWS, SIDE, images

import assay


def test_rows(beton):
    with assay.Dataset(beton) as data:
        assert len(data) == ROWS
        image, label, weight, where, text, note = data[17]
        assert (image.numpy() == images()[17]).all() and label == 2 and weight == 17 / 4
        assert where.tolist() == [[17.0] * 3] * 2 and text == b"xxx" and note == {"row": 17}
        assert data[-1][1] == (ROWS - 1) % 5 and data.get(3, "label") == 3
        assert data.stored(17, "note") == b'{"row": 17}' and len(data.stored(1, "image")) == SIDE * SIDE * 3
        assert data.classes == ["c0", "c1", "c2", "c3", "c4"]
        assert data.splits == {"train": range(150), "test": range(150, 200)}
        assert [f.type for f in data.fields] == ["image", "int", "float", "ndarray", "bytes", "json"]
        assert data.fields[3].shape == (2, 3) and data.fields[3].dtype == "<f4"
        assert data.sha256 == data.info["sha256"] and len(data.sha256) == 64
        assert data.page_size == 8 << 20 and "200 rows" in repr(data)
        assert [row[1] for row in data][:7] == [0, 1, 2, 3, 4, 0, 1]
    assert "closed" in repr(data)
    with pytest.raises(assay.InvalidArgument, match="closed"):
        data[0]
    assert (image.numpy() == images()[17]).all()  # outlives the file


def test_what_is_not_there(beton, folder):
    data = assay.Dataset(beton)
    with pytest.raises(IndexError):
        data[ROWS]
    with pytest.raises(IndexError):
        data[-ROWS - 1]
    with pytest.raises(assay.NotFound, match="no field"):
        data.get(0, "nothing")
    with pytest.raises(assay.NotFound, match="no sample"):
        data.get(ROWS, 0)
    with pytest.raises(assay.NotFound):
        data.get(0, 17)
    with pytest.raises((OverflowError, assay.NotFound, TypeError)):
        data.get(-1, 0)
    for wrong in (folder / "absent.beton", folder):
        with pytest.raises(assay.Error):
            assay.Dataset(wrong)
    with pytest.raises(TypeError):
        assay.Dataset(3)


def test_pickling(beton):
    assert pickle.loads(pickle.dumps(assay.Dataset(beton)))[5][1] == 0


# ---- writing

def test_pictures_of_all_kinds(folder):
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    alpha = np.dstack([grey, grey, grey, np.full_like(grey, 255)])
    colour = np.asfortranarray(images()[0])  # another order in memory: copied
    path = folder / "kinds.beton"
    with assay.Writer(path, {"image": "image"}, 5, mode="raw") as writer:
        writer.add(grey)
        writer.add(grey[:, :, None])
        writer.add(alpha)
        writer.add(colour)
        writer.add(image=memoryview(colour[::-1]))
    rows = [row[0].numpy() for row in assay.Dataset(path)]
    for got in rows[:3]:
        assert (got == grey[:, :, None]).all()
    assert (rows[3] == colour).all() and (rows[4] == colour[::-1]).all()
    assert assay.verify(path)["count"] == 0


def test_pillow(folder):
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    pixels = images()[0]
    path = folder / "pillow.beton"
    with assay.Writer(path, {"image": "image"}, 2, mode="raw") as writer:
        writer.add(image.fromarray(pixels))
        writer.add(image.fromarray(pixels).convert("P"))
    assert (assay.Dataset(path)[0][0].numpy() == pixels).all()


def test_encoded_files(jpegs, folder):
    """JPEG bytes go in and come out as they are."""
    data = assay.Dataset(jpegs)
    stored = [data.stored(i, "image") for i in range(5)]
    assert all(s.startswith(b"\xff\xd8") for s in stored)
    path = folder / "keep.beton"
    with assay.Writer(path, {"image": "image"}, 5, mode="keep") as writer:
        writer.extend((s,) for s in stored)
    again = assay.Dataset(path)
    assert [again.stored(i, 0) for i in range(5)] == stored


def test_custom_cells(folder):
    path = folder / "custom.beton"
    with assay.Writer(path, {"c": ("custom", 8, 4), "label": "int"}, 3) as writer:
        for i in range(3):
            writer.add((bytes([i] * 8),), i)
    loader = assay.Loader(path, "c; label", batch=3, order="sequential", custom=[("c", 8, 4)])
    assert next(iter(loader))["c"].tolist() == [[i] * 8 for i in range(3)]


def test_bytes_do_not_depend_on_threads(folder):
    made = []
    for threads in (1, 3):
        path = folder / f"threads{threads}.beton"
        with assay.Writer(path, {"image": "image", "label": "int"}, 50, mode="jpg",
                          context=assay.Context(threads)) as writer:
            writer.extend((images()[i], i) for i in range(50))
        made.append((path.read_bytes(), writer.sha256))
    assert made[0] == made[1]


def test_a_file_appears_whole_or_not(folder):
    path = folder / "part.beton"
    with pytest.raises(ZeroDivisionError):
        with assay.Writer(path, {"label": "int"}, 2) as writer:
            writer.add(1 // 0)
    assert not path.exists()
    writer = assay.Writer(path, {"label": "int"}, 2)
    writer.add(1)
    with pytest.raises(assay.InvalidArgument):
        writer.commit()
    assert not path.exists()
    with pytest.raises(assay.InvalidArgument, match="closed"):
        writer.add(1)


@pytest.mark.parametrize("fields, values, error, words", [
    ({"a": "int"}, ("x",), TypeError, "int"),
    ({"a": "int"}, (1 << 70,), OverflowError, ""),
    ({"a": "float"}, ("x",), TypeError, ""),
    ({"a": "image"}, (np.zeros((4, 4, 3)),), assay.DTypeError, "pixels are u8"),
    ({"a": "image"}, (np.zeros((4, 4, 3, 1), "u1"),), assay.ShapeError, "H, W"),
    ({"a": "image"}, (np.zeros((4, 4, 5), "u1"),), assay.ShapeError, "channels"),
    ({"a": "image"}, (np.zeros((0, 4, 3), "u1"),), assay.ShapeError, "without pixels"),
    ({"a": "image"}, (7,), TypeError, "array is wanted"),
    ({"a": ("ndarray", "<f4", (2,))}, (np.zeros(3, "f4"),), assay.ShapeError, "shape"),
    ({"a": ("ndarray", "<f4", (2,))}, (np.zeros(2),), assay.DTypeError, "element type"),
    ({"a": ("ndarray", "<f4", (2,))}, (np.array(["a", "b"]),), TypeError, "plain numbers"),
    ({"a": ("custom", 4, 4)}, ((b"123",),), assay.ShapeError, "size"),
    ({"a": "json"}, ({1, 2},), TypeError, "JSON"),
    ({"a": "int"}, (1, 2), TypeError, "each field"),
    ({"a": "word"}, None, assay.InvalidArgument, "no type"),
    ({"a": ("int", 3)}, None, assay.InvalidArgument, "no arguments"),
    ({"a": ("ndarray", "<f4")}, None, assay.InvalidArgument, "typestr"),
    ({"a": ("ndarray", "what", (2,))}, None, assay.Error, ""),
    ({"a": ("ndarray", "<f4", (0,))}, None, assay.Error, ""),
    ({"a": ("custom", 4)}, None, assay.InvalidArgument, "cell_bytes"),
    ({"a name that is too long": "int"}, None, assay.InvalidArgument, ""),
    ({}, None, assay.InvalidArgument, ""),
])
def test_bad_values(folder, fields, values, error, words):
    with pytest.raises(error, match=words):
        writer = assay.Writer(folder / "bad.beton", fields, 1)
        writer.add(*values)
        writer.commit()
    assert not (folder / "bad.beton").exists()


@pytest.mark.parametrize("options, words", [
    (dict(mode="jpeg"), "jpeg"), (dict(quality=101), "quality"), (dict(page_size=3 << 20), "page"),
    (dict(mode="proportion", proportion=2.0), "proportion"),
])
def test_bad_options(folder, options, words):
    with pytest.raises(assay.InvalidArgument, match=words):
        assay.Writer(folder / "bad.beton", {"image": "image"}, 1, **options)
    assert not (folder / "bad.beton").exists()


def test_existing_files_stay(beton):
    before = beton.read_bytes()
    with pytest.raises(assay.InvalidArgument, match="exist"):
        assay.Writer(beton, {"label": "int"}, 1)
    assert beton.read_bytes() == before


# ---- jobs

def test_packing_and_editing(beton, folder):
    picked = assay.select(beton, folder / "few.beton", rows=range(10, 30), force=True)
    assert picked.rows == 20 and assay.Dataset(folder / "few.beton")[0][1] == 0
    picked = assay.select(beton, folder / "two.beton", rows=[3, 7])
    assert picked.rows == 2
    assert assay.split(beton, folder / "part.beton", shards=2) == 2
    merged = assay.merge([folder / "part-0.beton", folder / "part-1.beton"], folder / "whole.beton")
    assert merged.rows == ROWS
    more = assay.append(folder / "two.beton", folder / "few.beton", folder / "more.beton")
    assert more.rows == 22
    assert assay.verify(folder / "whole.beton")["problems"] == []
    assert assay.info(folder / "whole.beton")["num_samples"] == ROWS
    with pytest.raises(assay.NotFound):
        assay.merge(["absent.beton"], folder / "no.beton")
    with pytest.raises(assay.InvalidArgument):
        assay.select(beton, folder / "none.beton", rows="9:3")


def test_export_and_pack(jpegs, folder):
    said = assay.export(jpegs, folder / "out")
    assert said.rows == 40
    packed = assay.pack(folder / "out", folder / "again.beton", from_="folder")
    assert packed.rows == 40 and packed.importer == "folder" and len(packed.sha256) == 64
    with pytest.raises(assay.InvalidArgument):
        assay.pack(folder / "out", folder / "again.beton")
    with pytest.raises(assay.InvalidArgument):
        assay.pack(folder / "out", folder / "other.beton", from_="carrier pigeon")
    found = assay.index(jpegs, folder / "jpg.idx")
    assert found.images == 40 and found.indexed == 40


def test_damage_is_listed(beton, folder):
    data = bytearray(beton.read_bytes())
    data[-100] ^= 255
    path = folder / "bent.beton"
    path.write_bytes(data)
    try:
        found = assay.verify(path)
        assert found["count"] > 0
    except assay.FormatError:
        pass
    with pytest.raises(assay.NotFound):
        assay.verify(folder / "absent.beton")


def test_lists():
    assert "flip" in assay.transforms() and "cnn" in assay.zoo() and "folder" in assay.importers()
    assert "schedule" in assay.settings() and "image" in assay.pipeline("cifar-f32")
    assert assay.isa() in ("none", "avx2", "avx512", "avx512v") and assay.peak_bytes() >= 0
    with pytest.raises(assay.NotFound):
        assay.pipeline("nothing")
    assert json.dumps(assay.transforms())
