"""Reader: what a file holds."""
from __future__ import annotations

from typing import Any, Mapping, Optional

from .. import _dataset
from .fields import (BytesField, Field, FloatField, IntField, JSONField, NDArrayField, RGBImageField,
                     TorchTensorField)


class Reader:
    """A file's fields and sizes: num_samples, page_size, num_fields, field_names, handlers."""

    def __init__(self, fname: str, custom_handlers: Optional[Mapping[str, Any]] = None) -> None:
        self._fname = fname
        self.dataset = _dataset.Dataset(fname)
        self.num_samples = len(self.dataset)
        self.page_size = self.dataset.page_size
        self.num_fields = len(self.dataset.fields)
        self.field_names = [f.name for f in self.dataset.fields]
        self.handlers = {f.name: self._handler(f, custom_handlers or {})
                         for f in self.dataset.fields}

    @property
    def file_name(self) -> str:
        """The file's name."""
        return self._fname

    @staticmethod
    def _handler(field: _dataset.Field, custom: Mapping[str, Any]) -> Field:
        plain = {"float": FloatField, "int": IntField, "image": RGBImageField, "bytes": BytesField,
                 "json": JSONField}
        if field.type in plain:
            made: Field = plain[field.type]()
            return made
        if field.type in ("ndarray", "tensor"):
            try:
                import numpy as np
                dtype: Any = np.dtype(field.dtype)
            except ImportError:
                dtype = field.dtype
            kind = NDArrayField if field.type == "ndarray" else TorchTensorField
            return kind(dtype, field.shape)
        if field.name not in custom:
            raise ValueError(f"Must specify a custom_field entry for custom field {field.name}")
        handler: Field = custom[field.name]
        return handler
