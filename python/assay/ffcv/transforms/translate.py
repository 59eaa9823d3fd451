"""FFCV's place of RandomTranslate."""
from .ops import RandomTranslate

__all__ = ["RandomTranslate"]
