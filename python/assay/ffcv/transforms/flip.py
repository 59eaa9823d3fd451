"""FFCV's place of RandomHorizontalFlip."""
from .ops import RandomHorizontalFlip

__all__ = ["RandomHorizontalFlip"]
