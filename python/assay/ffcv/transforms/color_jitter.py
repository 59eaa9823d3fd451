"""FFCV's place of colours."""
from .ops import RandomBrightness, RandomContrast, RandomSaturation

__all__ = ["RandomBrightness", "RandomContrast", "RandomSaturation"]
