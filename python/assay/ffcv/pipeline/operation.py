"""Operation: what pipelines are lists of."""
from __future__ import annotations

from typing import Any, Optional

from ... import _assay

ROUTES = ("FFCV's own operations are code for numba, which is not here. Routes for code of your own: "
          "assay.ffcv.transforms.CTransform(library, symbol), a function of C in a shared object "
          "(assay_hook_fn of assay/load.h; as fast as the rest); "
          "assay.ffcv.transforms.PythonTransform(function), called for each picture; a "
          "torch.nn.Module or any function of a whole batch behind ToTensor()")


class Operation:
    """The base of FFCV's operations. A subclass of your own, with generate_code for numba, can't be
    taken over: a Loader that meets one raises assay.Unsupported, which names the routes there are."""

    def generate_code(self) -> Any:
        """Not used: nothing is compiled here."""
        raise _assay.Unsupported(ROUTES)

    def declare_state_and_memory(self, previous_state: Any) -> Any:
        """Not used: nothing is compiled here."""
        raise _assay.Unsupported(ROUTES)


class Step(Operation):
    """An operation that the C library does."""
    #: "window", "pixels", "store", "batch", "label", "plain"
    stage = "pixels"

    def step(self) -> str:
        """The step of the library's pipeline."""
        raise NotImplementedError


class Tail(Operation):
    """An operation on a finished batch: a NumPy array or a torch tensor."""

    def __call__(self, batch: Any) -> Any:
        raise NotImplementedError


def numbers(values: Any) -> str:
    """Numbers as a pipeline writes them, joined by colons."""
    try:
        return ":".join(repr(float(v)) if float(v) != int(v) else str(int(v)) for v in values)
    except TypeError:
        return repr(float(values))


def as_operation(op: Any) -> Optional[Operation]:
    """The operation itself when it is one of ours."""
    return op if isinstance(op, (Step, Tail)) else None
