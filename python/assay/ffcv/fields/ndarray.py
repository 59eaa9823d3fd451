"""FFCV's place of arrays."""
from .base import NDArrayField, TorchTensorField
from .decoders import NDArrayDecoder

__all__ = ["NDArrayDecoder", "NDArrayField", "TorchTensorField"]
