"""FFCV's lists of operations as a pipeline of the library, and what is left to do on its batches."""
from __future__ import annotations

from typing import Any, Callable, List, Optional, Sequence, Tuple

from ... import _assay
from ..fields import Field, RGBImageField
from ..fields.decoders import FloatDecoder, IntDecoder, ResizedCropRGBImageDecoder
from ..pipeline.operation import ROUTES, Operation, Step, Tail
from ..transforms import ops

PLUMBING = (ops.ToTensor, ops.ToTorchImage)


class Output:
    """One output of a loader."""

    def __init__(self, name: str, source: str, field: Field, decoder: Optional[Operation],
                 transforms: Sequence[Any]) -> None:
        self.name, self.source = name, source
        self.hooks: dict[str, Callable[..., Any]] = {}
        self.tails: List[Any] = []
        self.window: Optional[Step] = None
        self._steps: dict[str, List[Step]] = {"pixels": [], "store": [], "batch": [], "label": []}
        self._is_image = isinstance(field, RGBImageField)
        for op in transforms:
            self._take(op)
        self.decoder = decoder
        if isinstance(decoder, (IntDecoder, FloatDecoder)) and not self._steps["batch"]:
            self.tails.insert(0, ops.OneColumn())
        self.tensors = any(isinstance(t, ops.ToTensor) for t in self.tails)
        self.text = self._text()

    def _take(self, op: Any) -> None:
        if isinstance(op, ops.NormalizeImage):
            self._normalize(op)
        elif isinstance(op, Step):
            if self.tails and op.stage != "batch":
                raise _assay.InvalidArgument(
                    f"output {self.name!r}: {type(op).__name__} works on pictures as bytes and stands "
                    "in front of ToTensor and what follows it")
            self._step(op)
        elif isinstance(op, Tail):
            self.tails.append(op)
        elif isinstance(op, Operation):
            raise _assay.Unsupported(f"output {self.name!r}: {type(op).__name__}: {ROUTES}")
        elif callable(op):
            self.tails.append(ops.ModuleWrapper(op))
        else:
            raise TypeError(f"output {self.name!r}: {op!r} is no operation")

    def _step(self, op: Step) -> None:
        if op.stage == "window":
            if self.window is not None or self._steps["pixels"]:
                raise _assay.Unsupported(
                    f"output {self.name!r}: {type(op).__name__} is the first step of a pipeline here; "
                    "use RandomResizedCropRGBImageDecoder as the decoder")
            self.window = op
            return
        if op.stage not in self._steps:
            raise _assay.InvalidArgument(f"output {self.name!r}: a decoder stands first")
        if isinstance(op, ops.PythonTransform):
            self.hooks[op.hook] = op.function
        self._steps[op.stage].append(op)

    def _normalize(self, op: ops.NormalizeImage) -> None:
        """Behind plumbing alone it is done by the library; elsewhere on the device."""
        plain = all(isinstance(t, PLUMBING) or (isinstance(t, ops.ToDevice) and t.is_cpu())
                    for t in self.tails)
        if plain:
            self._steps["store"].append(op)
        else:
            self.tails.append(ops.ModuleWrapper(op.on_device))

    def _text(self) -> str:
        steps = []
        window = self.window or (self.decoder if isinstance(self.decoder, Step)
                                 and self.decoder.stage == "window" else None)
        if self._is_image and window is not None:
            steps.append(window.step())
        steps += [op.step() for op in self._steps["label"] + self._steps["pixels"]]
        if self._is_image:
            steps.append(self._store())
        steps += [op.step() for op in self._steps["batch"]]
        return f"{self.name} = {self.source}" + (": " + " | ".join(steps) if steps else "")

    def _store(self) -> str:
        """How pictures are stored; PyTorch's order at once where nothing looks before it is due."""
        stored = [op.step() for op in self._steps["store"]]
        text = stored[0] if stored else "u8"
        for at, tail in enumerate(self.tails):
            if isinstance(tail, ops.ToTorchImage):
                if tail.channels_last:
                    break
                turned = ops.ToTorchImage(False, tail.convert_back_int16)
                turned.stored_so = True
                self.tails[at] = turned
                return text[:-1] + ", layout=nchw)" if stored else "u8(layout=nchw)"
            if not isinstance(tail, (ops.ToTensor, ops.ToDevice)):
                break
        return text

    def size(self) -> Optional[Tuple[int, int]]:
        """The size that the decoder asks for now; it may change between epochs."""
        decoder = self.decoder
        return decoder.size() if isinstance(decoder, ResizedCropRGBImageDecoder) else None

    def finish(self, array: _assay.Array) -> Any:
        """What the user gets of the library's array."""
        batch: Any = array.torch() if self.tensors else _numpy(array)
        for tail in self.tails:
            batch = tail(batch)
        return batch


def _numpy(array: _assay.Array) -> Any:
    try:
        return array.numpy()
    except ImportError:
        return array


