"""FFCV's names on assay's loader and writer: change `ffcv` to `assay.ffcv` in the imports.

docs/ffcv.md has a table of every public name: the same, different (how), or absent (why).
"""
from .loader import Loader, OrderOption
from .writer import DatasetWriter

__all__ = ["DatasetWriter", "Loader", "OrderOption"]
