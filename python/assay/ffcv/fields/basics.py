"""FFCV's place of numbers."""
from .base import FloatField, IntField
from .decoders import FloatDecoder, IntDecoder

__all__ = ["FloatDecoder", "FloatField", "IntDecoder", "IntField"]
