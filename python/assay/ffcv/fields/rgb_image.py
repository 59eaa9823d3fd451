"""FFCV's place of what concerns pictures."""
from .base import RGBImageField
from .decoders import (CenterCropRGBImageDecoder, RandomResizedCropRGBImageDecoder,
                       ResizedCropRGBImageDecoder, SimpleRGBImageDecoder)

__all__ = ["CenterCropRGBImageDecoder", "RGBImageField", "RandomResizedCropRGBImageDecoder",
           "ResizedCropRGBImageDecoder", "SimpleRGBImageDecoder"]
