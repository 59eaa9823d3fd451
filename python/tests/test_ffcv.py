"""assay.ffcv: FFCV's names; the data side of training scripts for CIFAR-10 and ImageNet as they are
written for FFCV, with other imports."""
import importlib

import numpy as np
import pytest
from conftest import ROWS, SIDE, images

import assay
from assay.ffcv.fields import (BytesField, FloatField, IntField, JSONField, NDArrayField, RGBImageField,
                               TorchTensorField)
from assay.ffcv.fields.decoders import (CenterCropRGBImageDecoder, FloatDecoder, IntDecoder,
                                        NDArrayDecoder, RandomResizedCropRGBImageDecoder,
                                        SimpleRGBImageDecoder)
from assay.ffcv.loader import Loader, OrderOption
from assay.ffcv.pipeline import PipelineSpec
from assay.ffcv.pipeline.operation import Operation
from assay.ffcv.reader import Reader
from assay.ffcv.transforms import (Convert, Cutout, ImageMixup, LabelMixup, MixupToOneHot,
                                   NormalizeImage, Poison, PythonTransform, RandomBrightness,
                                   RandomContrast, RandomHorizontalFlip, RandomResizedCrop,
                                   RandomSaturation, RandomTranslate, ReplaceLabel, Squeeze, ToDevice,
                                   ToTensor, ToTorchImage, View)
from assay.ffcv.traversal_order import TraversalOrder
from assay.ffcv.writer import DatasetWriter

PUBLIC = {
    "": ["Loader", "DatasetWriter"],
    "fields": ["Field", "BytesField", "IntField", "FloatField", "RGBImageField", "NDArrayField",
               "JSONField", "TorchTensorField"],
    "fields.decoders": ["FloatDecoder", "IntDecoder", "NDArrayDecoder",
                        "RandomResizedCropRGBImageDecoder", "CenterCropRGBImageDecoder",
                        "SimpleRGBImageDecoder", "BytesDecoder"],
    "fields.rgb_image": ["RGBImageField", "CenterCropRGBImageDecoder"],
    "fields.basics": ["IntDecoder", "FloatDecoder", "IntField", "FloatField"],
    "loader": ["Loader", "OrderOption"],
    "reader": ["Reader"], "writer": ["DatasetWriter"],
    "pipeline": ["PipelineSpec"], "pipeline.operation": ["Operation"],
    "transforms": ["ToTensor", "ToDevice", "ToTorchImage", "NormalizeImage", "Convert", "Squeeze",
                   "View", "RandomResizedCrop", "RandomHorizontalFlip", "RandomTranslate", "Cutout",
                   "ImageMixup", "LabelMixup", "MixupToOneHot", "Poison", "ReplaceLabel",
                   "ModuleWrapper", "RandomBrightness", "RandomContrast", "RandomSaturation"],
    "transforms.common": ["Squeeze"],
    "traversal_order": ["Sequential", "Random", "QuasiRandom"],
    "traversal_order.base": ["TraversalOrder"],
}
MEAN, STD = [125.307, 122.961, 113.8575], [51.5865, 50.847, 51.255]


class Pictures:
    """An indexable dataset."""

    def __init__(self, n=ROWS):
        self.pixels, self.n = images(), n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return self.pixels[i], int(i % 10)


@pytest.fixture(scope="module")
def cifar(folder):
    path = str(folder / "cifar.beton")
    DatasetWriter(path, {"image": RGBImageField(), "label": IntField()},
                  num_workers=2).from_indexed_dataset(Pictures())
    return path


@pytest.fixture(scope="module")
def photos(folder):
    """Pictures of different sizes, as JPEG."""
    path = str(folder / "photos.beton")
    rng = np.random.default_rng(1)

    class Photos(Pictures):
        def __getitem__(self, i):
            small = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
            return small.repeat(10 + i % 7, 0).repeat(12 + i % 3, 1), i % 10

    DatasetWriter(path, {"image": RGBImageField(write_mode="jpg", max_resolution=60),
                         "label": IntField()}).from_indexed_dataset(Photos(40))
    return path


def test_every_name():
    for module, names in PUBLIC.items():
        found = importlib.import_module("assay.ffcv" + ("." + module if module else ""))
        for name in names:
            assert hasattr(found, name), f"{module}.{name}"


# ---- scripts

def test_cifar_script(cifar):
    """The loaders of a CIFAR-10 training script."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    device = "cpu"
    loaders = {}
    for name in ["train", "test"]:
        label_pipeline = [IntDecoder(), ToTensor(), ToDevice(device), Squeeze()]
        image_pipeline = [SimpleRGBImageDecoder()]
        if name == "train":
            image_pipeline.extend([RandomHorizontalFlip(), RandomTranslate(padding=2, fill=(125, 122, 113)),
                                   Cutout(4, (125, 122, 113))])
        image_pipeline.extend([ToTensor(), ToDevice(device, non_blocking=True), ToTorchImage(),
                               Convert(torch.float32), Standardize(torch)])
        ordering = OrderOption.RANDOM if name == "train" else OrderOption.SEQUENTIAL
        loaders[name] = Loader(cifar, batch_size=64, num_workers=2, order=ordering,
                               drop_last=(name == "train"),
                               pipelines={"image": image_pipeline, "label": label_pipeline})
    assert len(loaders["train"]) == 3 and len(loaders["test"]) == 4
    seen = []
    for _ in range(2):
        for ims, labs in loaders["train"]:
            assert ims.shape == (64, 3, SIDE, SIDE) and ims.dtype == torch.float32
            assert ims.is_contiguous(memory_format=torch.channels_last)
            assert labs.shape == (64,) and labs.dtype == torch.int64
            seen.append(ims.sum().item())
    assert len(set(seen)) == 6
    at = 0
    for ims, labs in loaders["test"]:
        want = (images()[at:at + len(ims)].astype("f4") - MEAN) / STD
        assert np.abs(ims.permute(0, 2, 3, 1).numpy() - want).max() < 1e-5
        assert labs.tolist() == [i % 10 for i in range(at, at + len(labs))]
        at += len(ims)
    assert at == ROWS


def Standardize(torch):
    """What torchvision.transforms.Normalize is to a pipeline: a module."""
    class Module(torch.nn.Module):
        def forward(self, x):
            return (x - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    return Module()


def test_imagenet_script(photos):
    """The loaders of an ImageNet training script, whose resolution grows."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    mean, std = np.array([0.485, 0.456, 0.406]) * 255, np.array([0.229, 0.224, 0.225]) * 255
    device = torch.device("cpu")
    decoder = RandomResizedCropRGBImageDecoder((32, 32))
    loader = Loader(photos, batch_size=8, num_workers=2, order=OrderOption.RANDOM, os_cache=True,
                    drop_last=True, distributed=False,
                    pipelines={"image": [decoder, RandomHorizontalFlip(), ToTensor(),
                                         ToDevice(device, non_blocking=True), ToTorchImage(),
                                         NormalizeImage(mean, std, np.float16)],
                               "label": [IntDecoder(), ToTensor(), Squeeze(),
                                         ToDevice(device, non_blocking=True)]})
    assert loader.pipeline_specs["image"].decoder is decoder
    for resolution in (32, 48, 40):
        decoder.output_size = (resolution, resolution)
        for batch, (ims, target) in enumerate(loader):
            assert ims.shape == (8, 3, resolution, resolution) and ims.dtype == torch.float16
            assert ims.is_contiguous(memory_format=torch.channels_last) and target.shape == (8,)
        assert batch == 4
    val = Loader(photos, batch_size=16, num_workers=1, order=OrderOption.SEQUENTIAL, drop_last=False,
                 pipelines={"image": [CenterCropRGBImageDecoder((32, 32), ratio=224 / 256), ToTensor(),
                                      ToDevice(device), ToTorchImage(),
                                      NormalizeImage(mean, std, np.float32)],
                            "label": [IntDecoder(), ToTensor(), Squeeze()]})
    plain = Loader(photos, batch_size=16, drop_last=False,
                   pipelines={"image": [CenterCropRGBImageDecoder((32, 32), ratio=224 / 256)],
                              "label": None})
    for (ims, _), (raw,) in zip(val, plain):
        levels = ims.permute(0, 2, 3, 1).numpy() * std + mean  # resized, and not rounded to bytes
        assert np.abs(levels - raw).max() < 0.6


# ---- operations

def first(path, pipeline, name="image", **options):
    others = {n: None for n in Reader(path).field_names}
    options = {"batch_size": 16, "seed": 3, **options}
    return next(iter(Loader(path, pipelines={**others, name: pipeline}, **options)))[0]


def test_without_torch_it_is_numpy(cifar):
    batch = next(iter(Loader(cifar, 16, pipelines={"image": [SimpleRGBImageDecoder()],
                                                   "label": [IntDecoder()]})))
    assert isinstance(batch, tuple) and isinstance(batch[0], np.ndarray)
    assert (batch[0] == images()[:16]).all()
    assert batch[1].shape == (16, 1) and batch[1][:, 0].tolist() == [i % 10 for i in range(16)]


def test_normalize_without_torch(cifar):
    got = first(cifar, [SimpleRGBImageDecoder(), NormalizeImage(np.array(MEAN), np.array(STD), np.float32)])
    want = (images()[:16].astype("f8") - MEAN) / STD
    assert got.dtype == np.float32 and np.abs(got - want).max() < 1e-5


def test_each_operation_does_something(cifar):
    plain = images()[:16]
    for op in (RandomHorizontalFlip(1.0), RandomTranslate(2), Cutout(5), RandomBrightness(0.5, 1.0),
               RandomContrast(0.5, 1.0), RandomSaturation(0.5, 1.0)):
        got = first(cifar, [SimpleRGBImageDecoder(), op])
        assert got.shape == plain.shape and (got != plain).any(), op
    assert (first(cifar, [SimpleRGBImageDecoder(), RandomHorizontalFlip(1.0)]) == plain[:, :, ::-1]).all()
    crop = first(cifar, [RandomResizedCrop((0.5, 1.0), (0.75, 4 / 3), 8)])
    assert crop.shape == (16, 8, 8, 3)
    cut = first(cifar, [SimpleRGBImageDecoder(), Cutout(5, (1, 2, 3))])
    assert ((cut == (1, 2, 3)).all(-1).sum((1, 2)) >= 25).all()


def test_seeds_reach_the_augmentations(cifar):
    steps = [SimpleRGBImageDecoder(), RandomHorizontalFlip(), RandomTranslate(3)]
    one = first(cifar, steps, num_workers=1, order=OrderOption.RANDOM)
    two = first(cifar, steps, num_workers=2, order=OrderOption.RANDOM)
    other = first(cifar, steps, num_workers=2, order=OrderOption.RANDOM, seed=4)
    assert (one == two).all() and (one != other).any()


def test_poison_and_replace_label(cifar):
    mask, alpha = np.zeros((SIDE, SIDE, 3)), np.zeros((SIDE, SIDE))
    mask[:4, :4], alpha[:4, :4] = 200, 0.25
    got = first(cifar, [SimpleRGBImageDecoder(), Poison(mask, alpha, [3, 7])])
    plain = images()[:16].astype("f8")
    for i in range(16):
        want = plain[i] * (1 - alpha[..., None]) + mask * alpha[..., None] if i in (3, 7) else plain[i]
        assert np.abs(got[i] - want).max() <= 0.5001
    labels = first(cifar, [IntDecoder(), ReplaceLabel([1, 2], 9)], name="label")
    assert labels[:4, 0].tolist() == [0, 9, 9, 3]
    with pytest.raises(assay.Unsupported, match="clamp"):
        Poison(mask, alpha, [1], clamp=(10, 20))


@pytest.mark.parametrize("same", [True, False])
def test_mixup(cifar, same):
    """Pictures and labels are mixed alike: sample i with i - 1."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    loader = Loader(cifar, 16, seed=1, pipelines={
        "image": [SimpleRGBImageDecoder(), ImageMixup(0.5, same), ToTensor()],
        "label": [IntDecoder(), LabelMixup(0.5, same), ToTensor()]})
    ims, labels = next(iter(loader))
    plain = images()[:16].astype("f8")
    share = labels[:, 2].numpy()[:, None, None, None]
    assert labels.shape == (16, 3) and (len(set(share.ravel().tolist())) == 1) == same
    want = share * plain + (1 - share) * np.roll(plain, 1, 0)
    assert np.abs(ims.numpy() - want).max() <= 1
    assert labels[:, 0].tolist() == [i % 10 for i in range(16)]
    soft = first(cifar, [IntDecoder(), LabelMixup(0.5, same), ToTensor(), MixupToOneHot(10)], "label",
                 seed=1)
    assert soft.shape == (16, 10) and torch.allclose(soft.sum(1), torch.ones(16))
    assert soft[3, 3].item() == pytest.approx(labels[3, 2].item(), abs=1e-6)


def test_a_function_in_python(cifar):
    def invert(src, dst, shape, *rest):
        np.frombuffer(dst, np.uint8)[:] = 255 - np.frombuffer(src, np.uint8)
    assert (first(cifar, [SimpleRGBImageDecoder(), PythonTransform(invert)]) == 255 - images()[:16]).all()


def test_numba_operations_are_refused(cifar):
    class Own(Operation):
        def generate_code(self):
            return lambda images, dst: images

    with pytest.raises(assay.Unsupported) as caught:
        first(cifar, [SimpleRGBImageDecoder(), Own()])
    assert "CTransform" in str(caught.value) and "PythonTransform" in str(caught.value)


def test_views_and_types(cifar):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    got = first(cifar, [SimpleRGBImageDecoder(), ToTensor(), ToTorchImage(channels_last=False)])
    assert got.shape == (16, 3, SIDE, SIDE) and got.is_contiguous()
    assert (got.numpy() == images()[:16].transpose(0, 3, 1, 2)).all()
    got = first(cifar, [SimpleRGBImageDecoder(), ToTensor(), Convert(torch.float16), ToTorchImage()])
    assert got.dtype == torch.float16
    assert first(cifar, [SimpleRGBImageDecoder(), ToTensor(), View(torch.int8)]).dtype == torch.int8
    assert first(cifar, [IntDecoder(), ToTensor(), Squeeze(1)], "label").shape == (16,)


def test_bad_order_of_operations(cifar):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    with pytest.raises(assay.InvalidArgument, match="in front of ToTensor"):
        first(cifar, [SimpleRGBImageDecoder(), ToTensor(), Cutout(3)])
    with pytest.raises(assay.Unsupported, match="first step"):
        first(cifar, [SimpleRGBImageDecoder(), Cutout(3), RandomResizedCrop((0.5, 1), (1, 1), 8)])
    with pytest.raises(TypeError, match="no operation"):
        first(cifar, [SimpleRGBImageDecoder(), 7])


# ---- loaders

def test_orders(cifar):
    def labels(**options):
        return first(cifar, [IntDecoder()], "label", batch_size=ROWS, **options)[:, 0].tolist()
    ordered = [i % 10 for i in range(ROWS)]
    assert labels() == ordered
    for order in (OrderOption.RANDOM, OrderOption.QUASI_RANDOM):
        assert labels(order=order) != ordered and sorted(labels(order=order)) == sorted(ordered)
    for os_cache in (True, False):
        assert labels(os_cache=os_cache) == ordered


def test_own_order(cifar):
    class Backwards(TraversalOrder):
        def sample_order(self, epoch):
            return np.array(self.indices)[::-1][epoch:]

    loader = Loader(cifar, 10, order=Backwards, drop_last=False,
                    pipelines={"image": None, "label": [IntDecoder()]})
    assert len(loader) == 20
    for epoch in range(2):
        got = np.concatenate([b for (b,) in loader])[:, 0].tolist()
        assert got == [i % 10 for i in range(ROWS - 1 - epoch, -1, -1)]
    with pytest.raises(ValueError, match="order"):
        Loader(cifar, 10, order="backwards")


def test_indices_and_filter(cifar):
    loader = Loader(cifar, 10, indices=[5, 6, 15, 16, 25], drop_last=False,
                    pipelines={"image": None, "label": [IntDecoder()]})
    assert next(iter(loader))[0][:, 0].tolist() == [5, 6, 5, 6, 5]
    found = loader.filter("label", lambda label: label == 5)
    assert found.indices == [5, 15, 25] and next(iter(found))[0].tolist() == [[5]] * 3


def test_two_views_of_a_field(cifar):
    loader = Loader(cifar, 16, pipelines={
        "image": [SimpleRGBImageDecoder()], "label": None,
        "second": PipelineSpec("image", SimpleRGBImageDecoder(), [RandomHorizontalFlip(1.0)])})
    one, two = next(iter(loader))
    assert (one == two[:, :, ::-1]).all()
    with pytest.raises(assay.NotFound, match="no field"):
        Loader(cifar, 16, pipelines={"second": PipelineSpec("picture")})
    with pytest.raises(assay.Unsupported, match="field's name"):
        Loader(cifar, 16, pipelines={"second": PipelineSpec(SimpleRGBImageDecoder())})
    with pytest.raises(ValueError, match="PipelineSpec"):
        Loader(cifar, 16, pipelines={"image": 3})


def test_batches_stay(cifar):
    """In FFCV a batch that is kept is overwritten."""
    kept = [b for (b,) in Loader(cifar, 10, pipelines={"image": [SimpleRGBImageDecoder()], "label": None})]
    assert (np.concatenate(kept) == images()).all()


# ---- fields

def test_every_field(folder):
    path = str(folder / "fields.beton")
    rng = np.random.default_rng(2)
    arrays = rng.normal(size=(12, 3, 2)).astype("f4")

    class Rows:
        def __len__(self):
            return 12

        def __getitem__(self, i):
            return (i / 3, i, np.frombuffer(b"abc"[:i % 3 + 1], np.uint8), {"i": i}, arrays[i], arrays[i])

    fields = {"f": FloatField(), "i": IntField(), "b": BytesField(), "j": JSONField(),
              "a": NDArrayField(np.dtype("<f4"), (3, 2)), "t": TorchTensorField(np.dtype("<f4"), (3, 2))}
    DatasetWriter(path, fields, page_size=1 << 21).from_indexed_dataset(Rows(), indices=list(range(11, -1, -1)))
    reader = Reader(path)
    assert reader.num_samples == 12 and reader.field_names == list(fields)
    assert [type(h) for h in reader.handlers.values()] == [type(f) for f in fields.values()]
    assert reader.page_size == 1 << 21 and reader.file_name == path and reader.num_fields == 6
    f, i, b, j, a, t = next(iter(Loader(path, 12, pipelines={
        n: [f.get_decoder_class()()] for n, f in fields.items()})))
    assert f.shape == (12, 1) and f.dtype == np.float64 and i[:, 0].tolist() == list(range(11, -1, -1))
    assert (a == arrays[::-1]).all() and (t == a).all()
    assert b.shape == (12, 3) and bytes(b[0]) == b"abc"
    assert JSONField.unpack(j) == [{"i": i} for i in range(11, -1, -1)]
    assert JSONField.unpack(j[2]) == {"i": 9}


def test_default_pipelines(cifar):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    ims, labels = next(iter(Loader(cifar, 16)))
    assert isinstance(ims, torch.Tensor) and ims.shape == (16, SIDE, SIDE, 3) and labels.shape == (16, 1)


def test_writing_modes(folder):
    for mode in ("raw", "jpg", "smart", "proportion"):
        path = str(folder / f"mode-{mode}.beton")
        DatasetWriter(path, {"image": RGBImageField(mode), "label": IntField()}).from_indexed_dataset(
            Pictures(20), shuffle_indices=True)
        found = assay.info(path)["fields"][0]["images"]
        assert found["raw"] == {"raw": 20, "jpg": 0, "smart": 20}.get(mode, found["raw"])
    with pytest.raises(ValueError, match="power of 2"):
        DatasetWriter(path, {}, page_size=3 << 20)
    with pytest.raises(ValueError, match="page_size"):
        DatasetWriter(path, {}, page_size=1 << 20)
    with pytest.raises(assay.Unsupported, match="same arguments"):
        DatasetWriter(path, {"a": RGBImageField("raw"), "b": RGBImageField("jpg")})
