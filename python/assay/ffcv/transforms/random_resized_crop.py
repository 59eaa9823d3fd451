"""FFCV's place of RandomResizedCrop."""
from .ops import RandomResizedCrop

__all__ = ["RandomResizedCrop"]
