"""FFCV's place of Cutout."""
from .ops import Cutout

__all__ = ["Cutout"]
