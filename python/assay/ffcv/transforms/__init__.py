"""Transforms: the operations behind a decoder."""
from .ops import (Convert, CTransform, Cutout, ImageMixup, LabelMixup, MixupToOneHot, ModuleWrapper,
                  NormalizeImage, Poison, PythonTransform, RandomBrightness, RandomContrast,
                  RandomHorizontalFlip, RandomResizedCrop, RandomSaturation, RandomTranslate,
                  ReplaceLabel, Squeeze, ToDevice, ToTensor, ToTorchImage, View)

__all__ = ["CTransform", "Convert", "Cutout", "ImageMixup", "LabelMixup", "MixupToOneHot",
           "ModuleWrapper", "NormalizeImage", "Poison", "PythonTransform", "RandomBrightness",
           "RandomContrast", "RandomHorizontalFlip", "RandomResizedCrop", "RandomSaturation",
           "RandomTranslate", "ReplaceLabel", "Squeeze", "ToDevice", "ToTensor", "ToTorchImage",
           "View"]
