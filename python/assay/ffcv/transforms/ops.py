"""Operations on pictures and labels that the C library does, and those on finished batches."""
from __future__ import annotations

import itertools
import os
import tempfile
from typing import Any, Callable, Optional, Sequence, Tuple

from ... import _assay
from ..fields.decoders import RandomResizedCropRGBImageDecoder
from ..pipeline.operation import Operation, Step, Tail, numbers

Colour = Tuple[int, int, int]


# ---- pictures

class RandomHorizontalFlip(Step):
    """Mirrors left and right with probability `flip_prob`."""

    def __init__(self, flip_prob: float = 0.5) -> None:
        self.flip_prob = flip_prob

    def step(self) -> str:
        return f"flip({float(self.flip_prob)!r})"


class RandomTranslate(Step):
    """Shifts by up to `padding` pixels in each direction; `fill` comes in."""

    def __init__(self, padding: int, fill: Colour = (0, 0, 0)) -> None:
        self.padding, self.fill = padding, fill

    def step(self) -> str:
        return f"translate({int(self.padding)}, fill={numbers(self.fill)})"


class Cutout(Step):
    """Fills one square of side `crop_size`, fully inside, at a random place of every picture."""

    def __init__(self, crop_size: int, fill: Colour = (0, 0, 0)) -> None:
        self.crop_size, self.fill = crop_size, fill

    def step(self) -> str:
        return f"cutout({int(self.crop_size)}, fill={numbers(self.fill)})"


class RandomResizedCrop(Step):
    """A window of random area and shape, resized to size x size; of pictures of one size. The
    decoder RandomResizedCropRGBImageDecoder is the same and takes any."""
    stage = "window"

    def __init__(self, scale: Any, ratio: Any, size: int) -> None:
        self.scale, self.ratio, self.size = scale, ratio, size

    def step(self) -> str:
        return RandomResizedCropRGBImageDecoder((self.size, self.size), self.scale, self.ratio).step()


class _Jitter(Step):
    name = ""

    def __init__(self, magnitude: float, p: float = 0.5) -> None:
        self.magnitude, self.p = magnitude, p

    def step(self) -> str:
        return f"{self.name}({float(self.magnitude)!r}, p={float(self.p)!r})"


class RandomBrightness(_Jitter):
    """Brightness by a factor from max(0, 1 - magnitude) to 1 + magnitude, with probability p."""
    name = "brightness"


class RandomContrast(_Jitter):
    """Contrast, as RandomBrightness."""
    name = "contrast"


class RandomSaturation(_Jitter):
    """Saturation, as RandomBrightness."""
    name = "saturation"


def _rows(indices: Any) -> str:
    return ",".join(str(int(i)) for i in indices) or "0:0"


class Poison(Step):
    """images * (1 - alpha) + mask * alpha on the samples `indices`. mask: [H, W, 3], 0..255; alpha:
    [H, W], 0..1. The result is clamped to 0..255 whatever `clamp` says."""

    def __init__(self, mask: Any, alpha: Any, indices: Sequence[int],
                 clamp: Tuple[int, int] = (0, 255)) -> None:
        if tuple(clamp) != (0, 255):
            raise _assay.Unsupported("Poison: pictures are bytes, clamped to (0, 255)")
        self.mask, self.alpha, self.indices = mask, alpha, indices
        self._folder: Optional[tempfile.TemporaryDirectory[str]] = None

    def step(self) -> str:
        import numpy as np
        self._folder = tempfile.TemporaryDirectory(prefix="assay-poison-")
        mask, alpha = (os.path.join(self._folder.name, f) for f in ("mask.npy", "alpha.npy"))
        np.save(mask, np.asarray(self.mask).astype("float32"))
        np.save(alpha, np.asarray(self.alpha).astype("float32"))
        return (f'poison(rows="{_rows(self.indices)}", mask="{mask}", alpha_mask="{alpha}", '
                "at=0:0)")


class CTransform(Step):
    """A function of your own in a shared object; its signature is assay_hook_fn of assay/load.h.
    (FFCV has no such thing.)"""

    def __init__(self, library: str, symbol: str) -> None:
        self.library, self.symbol = os.fspath(library), symbol

    def step(self) -> str:
        return f'user(library="{self.library}", symbol={self.symbol})'


class PythonTransform(Step):
    """A Python function function(src, dst, (height, width, channels), random, sample, epoch), called
    for each picture under the GIL with the bytes of both as memoryviews. (FFCV has no such thing.)"""
    _numbers = itertools.count()

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.hook = f"python{next(self._numbers)}"

    def step(self) -> str:
        return f"user(hook={self.hook})"


class NormalizeImage(Step):
    """(byte - mean) / std, as `type`: np.float32 or np.float16. In front of ToTensor or behind it:
    the work is done where the picture is stored. On another device it is done there by PyTorch."""
    stage = "store"

    def __init__(self, mean: Any, std: Any, type: Any) -> None:
        self.mean, self.std, self.type = mean, std, type
        name = getattr(type, "__name__", None) or str(type)
        kinds = {"float32": "f32", "float16": "f16"}
        self.kind = kinds.get(name.split(".")[-1], "")
        if not self.kind:
            raise _assay.Unsupported(f"NormalizeImage: float32 or float16, not {name}")

    def step(self) -> str:
        mean = numbers([float(m) / 255 for m in self.mean])
        std = numbers([float(s) / 255 for s in self.std])
        return f"normalize(mean={mean}, std={std}, type={self.kind})"

    def on_device(self, batch: Any) -> Any:
        """Of a tensor [N, 3, H, W] on another device."""
        import torch
        shape = (1, -1, 1, 1)
        mean = torch.as_tensor([float(m) for m in self.mean], device=batch.device).view(shape)
        std = torch.as_tensor([float(s) for s in self.std], device=batch.device).view(shape)
        wide = (batch.to(torch.float32) - mean) / std
        return wide.to(torch.float16 if self.kind == "f16" else torch.float32)


# ---- batches

class ImageMixup(Step):
    """Blends each picture with the one before it in the batch, by a share from Beta(alpha, alpha)."""
    stage = "batch"

    def __init__(self, alpha: float, same_lambda: bool) -> None:
        self.alpha, self.same_lambda = alpha, same_lambda

    def step(self) -> str:
        return f"mixup({float(self.alpha)!r}, same_lambda={'yes' if self.same_lambda else 'no'}, labels=pair)"


class LabelMixup(ImageMixup):
    """The labels of ImageMixup: (label, the other label, share), f32."""


class MixupToOneHot(Tail):
    """Shares of all classes from LabelMixup's triples."""

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes

    def __call__(self, batch: Any) -> Any:
        import torch
        out = torch.zeros(len(batch), self.num_classes, dtype=batch.dtype, device=batch.device)
        out.scatter_add_(1, batch[:, 0:1].long(), batch[:, 2:3])
        return out.scatter_add_(1, batch[:, 1:2].long(), 1 - batch[:, 2:3])


class ReplaceLabel(Step):
    """Gives the samples `indices` another label."""
    stage = "label"

    def __init__(self, indices: Sequence[int], new_label: int) -> None:
        self.indices, self.new_label = indices, new_label

    def step(self) -> str:
        return f'replace_label(rows="{_rows(self.indices)}", label={int(self.new_label)})'


# ---- finished batches

class ToTensor(Tail):
    """A torch tensor on the batch's memory."""

    def __call__(self, batch: Any) -> Any:
        import torch
        return batch if isinstance(batch, torch.Tensor) else torch.from_dlpack(batch)


class ToDevice(Tail):
    """Moves a tensor to a device."""

    def __init__(self, device: Any, non_blocking: bool = True) -> None:
        self.device, self.non_blocking = device, non_blocking

    def is_cpu(self) -> bool:
        """Whether there is nothing to move."""
        return str(self.device) == "cpu"

    def __call__(self, batch: Any) -> Any:
        return batch.to(self.device, non_blocking=self.non_blocking)


class ToTorchImage(Tail):
    """(N, 3, H, W): channels last in memory, or with channels_last=False in PyTorch's usual order."""

    def __init__(self, channels_last: bool = True, convert_back_int16: bool = True) -> None:
        self.channels_last, self.convert_back_int16 = channels_last, convert_back_int16
        self.stored_so = False  # the library stored it in that order already

    def __call__(self, batch: Any) -> Any:
        if self.stored_so:
            return batch
        batch = batch.permute(0, 3, 1, 2)
        return batch if self.channels_last else batch.contiguous()


class Convert(Tail):
    """Another element type, a torch.dtype or NumPy's."""

    def __init__(self, target_dtype: Any) -> None:
        self.target_dtype = target_dtype

    def __call__(self, batch: Any) -> Any:
        return (batch.type if hasattr(batch, "permute") else batch.astype)(self.target_dtype)


class View(Tail):
    """The same bytes as another element type."""

    def __init__(self, target_dtype: Any) -> None:
        self.target_dtype = target_dtype

    def __call__(self, batch: Any) -> Any:
        return batch.view(self.target_dtype)


class Squeeze(Tail):
    """Without the dimensions of size 1, or without those named."""

    def __init__(self, *dims: int) -> None:
        self.dims = dims

    def __call__(self, batch: Any) -> Any:
        for dim in sorted(self.dims, reverse=True):
            batch = batch.squeeze(dim)
        return batch if self.dims else batch.squeeze()


class ModuleWrapper(Tail):
    """A torch.nn.Module, or any function, of a whole batch."""

    def __init__(self, module: Callable[[Any], Any]) -> None:
        self.module = module

    def __call__(self, batch: Any) -> Any:
        return self.module(batch)


class OneColumn(Tail):
    """(N,) as (N, 1), the shape that FFCV gives numbers."""

    def __call__(self, batch: Any) -> Any:
        return batch.reshape(-1, 1)


__all__ = ["CTransform", "Convert", "Cutout", "ImageMixup", "LabelMixup", "MixupToOneHot",
           "ModuleWrapper", "NormalizeImage", "Operation", "Poison", "PythonTransform",
           "RandomBrightness", "RandomContrast", "RandomHorizontalFlip", "RandomResizedCrop",
           "RandomSaturation", "RandomTranslate", "ReplaceLabel", "Squeeze", "ToDevice", "ToTensor",
           "ToTorchImage", "View"]
