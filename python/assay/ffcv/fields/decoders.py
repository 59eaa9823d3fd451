"""Decoders: the first operation of a pipeline."""
from __future__ import annotations

from typing import Any, Tuple

from ..pipeline.operation import Step, numbers


class FloatDecoder(Step):
    """f64 (N, 1)."""
    stage = "plain"


class IntDecoder(Step):
    """i64 (N, 1)."""
    stage = "plain"


class NDArrayDecoder(Step):
    """(N, *shape) of the field's type."""
    stage = "plain"


class BytesDecoder(Step):
    """u8 (N, longest of the batch), zeros behind each."""
    stage = "plain"


class SimpleRGBImageDecoder(Step):
    """Pictures as they are, all of one size: u8 (N, H, W, 3)."""
    stage = "window"

    def step(self) -> str:
        return "whole"


class ResizedCropRGBImageDecoder(Step):
    """What the two decoders share: `output_size` may be changed between epochs."""
    stage = "window"

    def __init__(self, output_size: Tuple[int, int]) -> None:
        self.output_size = output_size

    def size(self) -> Tuple[int, int]:
        """Height and width."""
        height, width = self.output_size
        return int(height), int(width)


class RandomResizedCropRGBImageDecoder(ResizedCropRGBImageDecoder):
    """A window of random area (`scale`) and shape (`ratio`), resized to (height, width)."""

    def __init__(self, output_size: Tuple[int, int], scale: Any = (0.08, 1.0),
                 ratio: Any = (0.75, 4 / 3)) -> None:
        super().__init__(output_size)
        self.scale, self.ratio = scale, ratio

    def step(self) -> str:
        return (f"random_resized_crop({numbers(self.size())}, scale={numbers(self.scale)}, "
                f"ratio={numbers(self.ratio)})")


class CenterCropRGBImageDecoder(ResizedCropRGBImageDecoder):
    """The middle square of side int(ratio * shorter side), resized to (height, width)."""

    def __init__(self, output_size: Tuple[int, int], ratio: float) -> None:
        super().__init__(output_size)
        self.ratio = ratio

    def step(self) -> str:
        return f"center_crop({numbers(self.size())}, ratio={float(self.ratio)!r})"


__all__ = ["BytesDecoder", "CenterCropRGBImageDecoder", "FloatDecoder", "IntDecoder",
           "NDArrayDecoder", "RandomResizedCropRGBImageDecoder", "SimpleRGBImageDecoder"]
