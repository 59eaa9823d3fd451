"""Model: a network run over arrays."""
from __future__ import annotations

import os
from typing import Any, NamedTuple, Optional, Sequence, Tuple, Union

from . import _assay
from ._types import ArrayLike, Path, given


class Value(NamedTuple):
    """An input or output of a model; -1 in the shape stands for the batch."""
    name: str
    dtype: str
    shape: Tuple[int, ...]


class Model:
    """A model that runs on arrays: an ONNX file, or a .safetensors.

        model = assay.Model("run/model.safetensors")     # what assay.train wrote
        (logits,) = model(pixels)                        # f32 [n, C, H, W] from 0 to 1
        answers = logits.numpy().argmax(1)

    source: a path, or the bytes of an ONNX file. Of .safetensors files those that assay.train wrote
        are known, and some published networks (include/assay/model.h).
    precision: "f32", "bf16", or "auto": bf16 where it pays. batch: examples run at a time.
    open_batch: a leading 1 of every input stands for any batch.
    inputs: arrays that are known beforehand, for sizes that the file leaves open.

    model(x, ...) takes NumPy arrays, tensors of PyTorch on the processor, or anything with the buffer
    protocol or DLPack, and returns a tuple of assay.Array. One call at a time.
    """

    def __init__(self, source: Union[Path, bytes], *, precision: Optional[str] = None,
                 batch: Optional[int] = None, open_batch: bool = False,
                 inputs: Optional[Sequence[ArrayLike]] = None,
                 context: Optional[_assay.Context] = None) -> None:
        self._source = source
        options = given(precision=precision, batch=batch, open_batch=open_batch)
        for kind in self._kinds(source):
            try:
                self._model = _assay.Model(source, kind, options, inputs=inputs, context=context)
                break
            except (_assay.FormatError, _assay.Unsupported) as error:
                if kind != "trained" or error.status not in ("FORMAT", "UNSUPPORTED"):
                    raise
        else:
            raise AssertionError("no way to open a model was tried")

    @staticmethod
    def _kinds(source: Union[Path, bytes]) -> Tuple[str, ...]:
        if not isinstance(source, bytes) and os.fsdecode(source).endswith(".safetensors"):
            return "trained", "weights"
        return ("onnx",)

    @property
    def inputs(self) -> Tuple[Value, ...]:
        """What goes in."""
        return tuple(Value(*v) for v in self._model.inputs)

    @property
    def outputs(self) -> Tuple[Value, ...]:
        """What comes out."""
        return tuple(Value(*v) for v in self._model.outputs)

    def parameters(self) -> dict[str, _assay.Array]:
        """The trainable tensors by name, on the model's own memory: writing changes the model."""
        return self._model.params()

    def __call__(self, *inputs: ArrayLike) -> Tuple[_assay.Array, ...]:
        """Runs the model once over all examples given."""
        return tuple(self._model.run(inputs))

    def gradients(self, *inputs: ArrayLike, output: int = 0, seed: Optional[ArrayLike] = None) -> Tuple[
            _assay.Array, list[Optional[_assay.Array]], dict[str, _assay.Array]]:
        """(output, gradients by the inputs, gradients by the parameters) of sum(seed * output);
        seed: f32 of the output's shape, None: ones."""
        value, by_input, by_param = self._model.gradients(inputs, output, seed)
        return value, by_input, dict(zip(self.parameters(), by_param))

    def __repr__(self) -> str:
        def tell(values: Tuple[Value, ...]) -> str:
            return ", ".join(f"{v.name} {v.dtype}{list(v.shape)}" for v in values)
        name: Any = "bytes" if isinstance(self._source, bytes) else os.fsdecode(self._source)
        return f"assay.Model({name!r}: {tell(self.inputs)} -> {tell(self.outputs)})"
