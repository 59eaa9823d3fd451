"""FFCV's place of NormalizeImage."""
from .ops import NormalizeImage

__all__ = ["NormalizeImage"]
