"""FFCV's place of ModuleWrapper."""
from .ops import ModuleWrapper

__all__ = ["ModuleWrapper"]
