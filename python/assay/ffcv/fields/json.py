"""FFCV's place of JSON."""
from .base import JSONField

__all__ = ["JSONField"]
