"""FFCV's place of bytes."""
from .base import BytesField
from .decoders import BytesDecoder

__all__ = ["BytesDecoder", "BytesField"]
