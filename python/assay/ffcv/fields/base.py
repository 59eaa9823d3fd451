"""Field: a column of a dataset."""
from __future__ import annotations

import json
from typing import Any, Type

from ..pipeline.operation import Operation
from . import decoders


class Field:
    """The base of fields. Fields of your own (type 255) are read as their cells' bytes when the class
    has `metadata_type`; encoding and decoding code of FFCV's can't be taken over."""

    #: as assay.Writer takes it
    spec: Any = None

    def get_decoder_class(self) -> Type[Operation]:
        """The decoder that a pipeline without one gets."""
        return decoders.BytesDecoder


class FloatField(Field):
    """A number, f64."""
    spec = "float"

    def get_decoder_class(self) -> Type[Operation]:
        return decoders.FloatDecoder


class IntField(Field):
    """A whole number, i64."""
    spec = "int"

    def get_decoder_class(self) -> Type[Operation]:
        return decoders.IntDecoder


class BytesField(Field):
    """Bytes of any length."""
    spec = "bytes"


class JSONField(BytesField):
    """An object that JSON can say."""
    spec = "json"

    @staticmethod
    def unpack(batch: Any) -> Any:
        """The objects of a batch [n, bytes], or of one sample [bytes]."""
        rows = batch.tolist()
        if rows and isinstance(rows[0], list):
            return [JSONField._object(row) for row in rows]
        return JSONField._object(rows)

    @staticmethod
    def _object(row: Any) -> Any:
        return json.loads(bytes(row).split(b"\0", 1)[0])


class NDArrayField(Field):
    """An array of one shape and type."""
    kind = "ndarray"

    def __init__(self, dtype: Any, shape: Any) -> None:
        self.dtype, self.shape = dtype, tuple(shape)

    @property
    def spec(self) -> Any:
        return self.kind, typestr(self.dtype), self.shape

    def get_decoder_class(self) -> Type[Operation]:
        return decoders.NDArrayDecoder


class TorchTensorField(NDArrayField):
    """A tensor of one shape and type (a torch.dtype)."""
    kind = "tensor"


class RGBImageField(Field):
    """A picture: H x W x 3 u8 arrays or Pillow's images.

    write_mode: "raw", "jpg", "smart" (JPEG above smart_threshold bytes of pixels; None: raw),
    "proportion" (JPEG with compress_probability). Also "keep": the bytes of JPEG files as they are.
    """
    spec = "image"

    def __init__(self, write_mode: str = "raw", max_resolution: Any = None,
                 smart_threshold: Any = None, jpeg_quality: int = 90,
                 compress_probability: float = 0.5) -> None:
        self.write_mode, self.max_resolution = write_mode, max_resolution
        self.smart_threshold, self.jpeg_quality = smart_threshold, int(jpeg_quality)
        self.proportion = compress_probability

    def get_decoder_class(self) -> Type[Operation]:
        return decoders.SimpleRGBImageDecoder


TORCH_TYPES = {"float32": "<f4", "float64": "<f8", "float16": "<f2", "uint8": "|u1", "int8": "|i1",
               "int16": "<i2", "int32": "<i4", "int64": "<i8", "bool": "|b1"}


def typestr(dtype: Any) -> str:
    """NumPy's words for a dtype of NumPy's or PyTorch's."""
    if hasattr(dtype, "str"):
        return str(dtype.str)
    name = str(dtype).split(".")[-1].rstrip("'>")
    return TORCH_TYPES.get(name, name)
