"""FFCV's place of Squeeze."""
from .ops import Squeeze

__all__ = ["Squeeze"]
