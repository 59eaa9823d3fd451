"""Loader: FFCV's on assay's."""
from __future__ import annotations

import os
import random
from enum import Enum, auto, unique
from typing import Any, Callable, Iterator, List, Mapping, Optional, Sequence, Tuple

from ... import _assay
from ..._loader import Loader as _Loader
from ..pipeline import PipelineSpec
from ..pipeline.operation import Operation
from ..reader import Reader
from ..transforms import ToTensor
from ..traversal_order import QuasiRandom, Random, Sequential, TraversalOrder
from .compile import Output


@unique
class OrderOption(Enum):
    """Orders of an epoch."""
    SEQUENTIAL = auto()
    RANDOM = auto()
    QUASI_RANDOM = auto()


ORDERS = {OrderOption.SEQUENTIAL: Sequential, OrderOption.RANDOM: Random,
          OrderOption.QUASI_RANDOM: QuasiRandom}
DEFAULT_OS_CACHE = not int(os.environ.get("FFCV_DEFAULT_CACHE_PROCESS", "0"))


def _ranks(distributed: bool) -> Tuple[int, int]:
    """This process and how many share the epochs."""
    if not distributed:
        return 0, 1
    import torch.distributed as dist
    return dist.get_rank(), dist.get_world_size()


class Loader:
    """Batches of a .beton as tuples with a value for each output, the way of FFCV.

    pipelines: {output: [decoder, operations...], PipelineSpec or None to leave a field out}; a field
    without one gets its decoder and ToTensor().
    order: an OrderOption, or a TraversalOrder subclass. seed: of the order and of all random
    operations; equal seeds give equal batches at any number of workers. indices: a subset.
    os_cache: False: a page cache of the loader's own, for files larger than memory.
    distributed: ranks of torch.distributed share each epoch, in every order.
    custom_fields: {name: class with metadata_type}; the batch holds the cells' bytes.
    recompile: nothing is compiled; a decoder's output_size may change between epochs as it is.

    Batches stay valid as long as they are referenced.
    """

    def __init__(self, fname: str, batch_size: int, num_workers: int = -1,
                 os_cache: bool = DEFAULT_OS_CACHE, order: Any = OrderOption.SEQUENTIAL,
                 distributed: bool = False, seed: Optional[int] = None,
                 indices: Optional[Sequence[int]] = None,
                 pipelines: Optional[Mapping[str, Any]] = None,
                 custom_fields: Optional[Mapping[str, Any]] = None, drop_last: bool = True,
                 batches_ahead: int = 3, recompile: bool = False) -> None:
        if seed is None:
            seed = 0 if distributed else random.randrange(1 << 31)
        self._args: dict[str, Any] = dict(fname=fname, batch_size=batch_size, num_workers=num_workers,
                          os_cache=os_cache, order=order, distributed=distributed, seed=seed,
                          indices=indices, pipelines=pipelines, custom_fields=custom_fields,
                          drop_last=drop_last, batches_ahead=batches_ahead, recompile=recompile)
        self.fname, self.batch_size, self.seed = os.fspath(fname), batch_size, seed
        self.num_workers = num_workers if num_workers >= 1 else os.cpu_count() or 1
        self.batches_ahead, self.drop_last = batches_ahead, drop_last
        self.distributed, self.recompile, self.os_cache = distributed, recompile, os_cache
        self.reader = Reader(self.fname, custom_fields)
        self.indices: Any = range(self.reader.num_samples) if indices is None else indices
        self.next_epoch = 0
        self.pipeline_specs = self._specs(pipelines or {})
        self._outputs = [self._output(name, spec) for name, spec in self.pipeline_specs.items()]
        self._sizes = [output.size() for output in self._outputs]
        self.traversal_order = self._order(order)
        self._custom = [(name, int(c.metadata_type.itemsize), int(c.metadata_type.alignment))
                        for name, c in self._custom_handlers(custom_fields or {})]
        self._loader = self._open() if self._native else None
        self._length = len(self._loader) if self._loader is not None else self._count()

    # ---- making

    @staticmethod
    def _custom_handlers(custom: Mapping[str, Any]) -> List[Tuple[str, Any]]:
        return [(n, c() if isinstance(c, type) else c) for n, c in custom.items()]

    def _specs(self, pipelines: Mapping[str, Any]) -> dict[str, PipelineSpec]:
        """The outputs: fields of the file first, in its order, then the others."""
        given = {}
        for name, spec in pipelines.items():
            if spec is None:
                continue
            if not isinstance(spec, PipelineSpec):
                if not isinstance(spec, Sequence) or isinstance(spec, str):
                    raise ValueError(f"The pipeline for {name} has to be either a PipelineSpec or a "
                                     "sequence of operations")
                spec = PipelineSpec(name, decoder=None, transforms=spec)
            given[name] = spec
        specs = {name: given.get(name) or PipelineSpec(name) for name in self.reader.field_names
                 if name in given or name not in pipelines}
        specs.update({name: spec for name, spec in given.items() if name not in specs})
        return specs

    def _output(self, name: str, spec: PipelineSpec) -> Output:
        if not isinstance(spec.source, str):
            raise _assay.Unsupported(f"output {name!r}: the source of a PipelineSpec is a field's name; "
                                     "outputs of one field are decoded each for itself")
        if spec.source not in self.reader.handlers:
            raise _assay.NotFound(f"output {name!r}: no field is called {spec.source!r}; there are "
                                  + ", ".join(self.reader.field_names))
        field = self.reader.handlers[spec.source]
        if isinstance(field, type):
            field = field()
        kind = getattr(field, "get_decoder_class", lambda: Operation)()
        if spec.decoder is None:
            first = spec.transforms[0] if spec.transforms else None
            if _is_decoder(first):
                spec.decoder, spec.transforms = first, spec.transforms[1:]
            else:
                spec.decoder = kind() if issubclass(kind, Operation) else None
        transforms = [ToTensor()] if spec.default_pipeline else spec.transforms
        return Output(name, spec.source, field, spec.decoder, transforms)

    def _order(self, order: Any) -> TraversalOrder:
        kind = ORDERS.get(order, order) if isinstance(order, OrderOption) else order
        if isinstance(kind, TraversalOrder):
            return kind
        if not (isinstance(kind, type) and issubclass(kind, TraversalOrder)):
            raise ValueError(f"Order {order} is not a supported order type or a subclass of "
                             "TraversalOrder")
        return kind(self)

    @property
    def _native(self) -> Optional[str]:
        return getattr(self.traversal_order, "native", None)

    def _open(self, rows: Any = None) -> _Loader:
        rank, world = _ranks(self.distributed)
        hooks = {name: f for output in self._outputs for name, f in output.hooks.items()}
        if rows is None and self._args["indices"] is not None:
            rows = self._args["indices"]
        return _Loader(
            self.fname, "\n".join(output.text for output in self._outputs), batch=self.batch_size,
            order=self._native or "given", seed=self.seed, threads=self.num_workers,
            ahead=self.batches_ahead, drop_last=self.drop_last, rows=_rows(rows),
            cache="map" if self.os_cache else "read", rank=rank, world=world, hooks=hooks or None,
            custom=self._custom or None)

    def _count(self) -> int:
        n = len(self.traversal_order.sample_order(self.next_epoch))
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    # ---- epochs

    def __len__(self) -> int:
        return self._length

    def _resize(self, loader: _Loader) -> None:
        """What was done to the decoders since the last epoch."""
        for i, output in enumerate(self._outputs):
            size = output.size()
            if size is not None and size != self._sizes[i]:
                loader.set_size(output.name, *size)
                self._sizes[i] = size

    def __iter__(self) -> Iterator[Tuple[Any, ...]]:
        epoch, self.next_epoch = self.next_epoch, self.next_epoch + 1
        loader = self._loader
        if loader is None:
            self._sizes = [output.size() for output in self._outputs]
            self._outputs = [self._output(n, s) for n, s in self.pipeline_specs.items()]
            loader = self._open(self.traversal_order.sample_order(epoch))
        else:
            self._resize(loader)
        return _Epoch(self._outputs, loader.epoch(epoch))

    def filter(self, field_name: str, condition: Callable[[Any], bool]) -> "Loader":
        """A loader of the samples for whose `field_name`, as its pipeline makes it, the condition
        holds. Runs over the data once."""
        pipelines: dict[str, Any] = {name: None for name in self.reader.field_names}
        given = self._args["pipelines"] or {}
        if field_name in given:
            pipelines[field_name] = given[field_name]
        else:
            del pipelines[field_name]
        args: dict[str, Any] = {**self._args, "pipelines": pipelines, "order": OrderOption.SEQUENTIAL,
                "drop_last": False, "distributed": False}
        rows = list(self.indices)
        kept, at = [], 0
        for (batch,) in Loader(**args):
            for value in batch:
                if condition(value):
                    kept.append(int(rows[at]))
                at += 1
        args = {**self._args, "indices": kept}
        return Loader(**args)

    def __repr__(self) -> str:
        return f"assay.ffcv.Loader({self.fname!r}, batch_size={self.batch_size})"


class _Epoch:
    """The batches of an epoch as tuples."""

    def __init__(self, outputs: List[Output], batches: Iterator[_assay.Batch]) -> None:
        self._finish = [output.finish for output in outputs]
        self._batches = batches

    def __iter__(self) -> "_Epoch":
        return self

    def __next__(self) -> Tuple[Any, ...]:
        batch = next(self._batches)
        return tuple(finish(array) for finish, array in zip(self._finish, batch))


def _is_decoder(op: Any) -> bool:
    return (isinstance(op, Operation) and type(op).__module__.endswith("fields.decoders"))


def _rows(rows: Any) -> Any:
    """Numbers as an array of i64 that the library takes."""
    if rows is None:
        return None
    try:
        import numpy as np
        return np.ascontiguousarray(rows, dtype=np.int64)
    except ImportError:
        from array import array
        return array("q", [int(i) for i in rows])
