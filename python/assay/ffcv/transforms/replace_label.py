"""FFCV's place of ReplaceLabel."""
from .ops import ReplaceLabel

__all__ = ["ReplaceLabel"]
