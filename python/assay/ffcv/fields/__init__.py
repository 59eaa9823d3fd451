"""Fields: what a dataset's columns hold."""
from .base import (BytesField, Field, FloatField, IntField, JSONField, NDArrayField, RGBImageField,
                   TorchTensorField)

__all__ = ["BytesField", "Field", "FloatField", "IntField", "JSONField", "NDArrayField",
           "RGBImageField", "TorchTensorField"]
