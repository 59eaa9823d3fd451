"""FFCV's place of mixup."""
from .ops import ImageMixup, LabelMixup, MixupToOneHot

__all__ = ["ImageMixup", "LabelMixup", "MixupToOneHot"]
