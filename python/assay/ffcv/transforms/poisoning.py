"""FFCV's place of Poison."""
from .ops import Poison

__all__ = ["Poison"]
