"""Loader: batches out of .beton files."""
from __future__ import annotations

import os
from typing import Any, Callable, Iterator, Mapping, Optional, Sequence, Tuple, Union

from . import _assay
from ._types import ArrayLike, Path, given, text_paths

#: hook(src, dst, (height, width, channels), random, sample, epoch)
Hook = Callable[[memoryview, memoryview, Tuple[int, int, int], int, int, int], Any]


class Loader:
    """Batches of transformed samples out of .beton files (ours or FFCV's), made ahead by threads.

        loader = assay.Loader("cifar.beton", "image: flip | translate(4) | normalize(cifar10); label",
                              batch=512, seed=1)
        for images, labels in loader:      # one epoch; the next loop is the next epoch
            images = images.torch()        # or .numpy(); shares the memory

    paths: one file or several with the same fields.
    pipelines: outputs separated by ``;`` or line ends, ``name = field: step | step``
        (docs/loading.md; assay.transforms() lists the steps), or a dict {output: "field: steps"}.
        None: every field as it is.
    batch: samples in a batch. order: "random", "sequential", "quasi-random", "weighted", "given".
    seed: of the order and of all transforms: equal seeds give equal bytes at any number of threads.
    threads: workers; 0: one for each processor; -1: batches are made when they are asked for.
    ahead: batches made ahead; 0: chosen. drop_last: leave out a batch that would not be full.
    split: rows of this split only. rows: [n] u64 or i64, a subset, or the order itself.
    filter: called as filter(file, row, label) once for each row; false leaves it out.
    weights: [n] f64, one for each chosen row ("weighted"). epoch_rows: samples of an epoch.
    file_weights: [files] f64, share of each file in an epoch.
    cache: "map" (the system's page cache) or "read" with cache_bytes (larger than memory).
    rank, world: this process, and how many share each epoch.
    skip_damaged: leave damaged samples out and count them, instead of raising FormatError.
    index: the JPEG index: "auto", "none", "build" or a path.
    hooks: {name: function}, for steps ``user(hook=name)``. A function gets the memory of a picture,
        src and dst, as memoryviews of bytes that are gone when it returns. It runs in the workers
        under the GIL: slow, and one at a time.
    custom: [(field, cell_bytes, cell_align)], sizes of custom fields' cells.

    A batch stays valid as long as it, or an array made of it, is referenced; nothing is copied.
    One loader is for one thread at a time. It can be pickled and goes over a fork: the other
    process opens the files anew, and begins with the epoch that would have been next here.
    """

    def __init__(self, paths: Union[Path, Sequence[Path]],
                 pipelines: Union[None, str, Mapping[str, str]] = None, *,
                 batch: int = 256, order: str = "random", seed: int = 0, threads: int = 0,
                 ahead: int = 0, drop_last: bool = False, split: Optional[str] = None,
                 rows: Optional[ArrayLike] = None,
                 filter: Optional[Callable[[int, int, int], bool]] = None,
                 weights: Optional[ArrayLike] = None, epoch_rows: int = 0,
                 file_weights: Optional[ArrayLike] = None, cache: Optional[str] = None,
                 cache_bytes: int = 0, rank: int = 0, world: int = 0, skip_damaged: bool = False,
                 index: Optional[Path] = None, hooks: Optional[Mapping[str, Hook]] = None,
                 custom: Optional[Sequence[Tuple[str, int, int]]] = None,
                 context: Optional[_assay.Context] = None) -> None:
        if pipelines is not None and not isinstance(pipelines, str):
            pipelines = "\n".join(f"{name} = {text}" for name, text in pipelines.items())
        self._args: dict[str, Any] = dict(
            paths=text_paths(paths), pipelines=pipelines,
            options=given(batch=batch, order=order, seed=seed, threads=threads, ahead=ahead,
                          drop_last=drop_last, split=split, epoch_rows=epoch_rows, cache=cache,
                          cache_bytes=cache_bytes, rank=rank, world=world,
                          skip_damaged=skip_damaged, index=index),
            rows=rows, filter=filter, weights=weights, file_weights=file_weights,
            hooks=None if hooks is None else dict(hooks), custom=custom)
        self._inline = threads < 0
        self._next_epoch = 0
        self._resumed = False
        self._open(context)

    def _open(self, context: Optional[_assay.Context] = None) -> None:
        self._loader = _assay.Loader(**self._args, context=context)
        self._pid = os.getpid()

    def _here(self) -> _assay.Loader:
        """The loader of this process: a child of fork makes its own."""
        if self._pid != os.getpid():
            self._open()
        return self._loader

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_loader", "_pid")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    # ---- epochs

    def epoch(self, number: Optional[int] = None) -> Iterator[_assay.Batch]:
        """The batches of an epoch; None: of the one behind the last. One that runs is given up."""
        loader = self._here()
        if number is None:
            number = self._next_epoch
        loader.epoch(number)
        self._next_epoch = number + 1
        return iter(_Epoch(self, loader))

    def __iter__(self) -> Iterator[_assay.Batch]:
        if self._resumed:
            self._resumed = False
            return iter(_Epoch(self, self._here()))
        return self.epoch()

    def __len__(self) -> int:
        """Batches of this rank in an epoch."""
        return self._here().batches()

    # ---- the rest

    def set_size(self, output: str, height: int, width: Optional[int] = None) -> None:
        """Another resolution for an output's images, from the next epoch on."""
        self._here().set_size(output, height, height if width is None else width)

    def state(self) -> bytes:
        """Where the loader stands: the same bytes for any number of threads."""
        return self._here().state()

    def resume(self, state: bytes) -> None:
        """The next loop goes on behind the batch that came before the state was taken."""
        loader = self._here()
        loader.resume(state)
        self._next_epoch = loader.epoch_number() + 1
        self._resumed = True

    @property
    def skipped(self) -> int:
        """Damaged samples left out so far (skip_damaged)."""
        return self._here().skipped()

    def plan(self) -> str:
        """What the pipelines were compiled to, for people."""
        return self._here().plan()

    def stats(self) -> dict[str, Union[int, float]]:
        """Where the time went since creation: CPU seconds by stage, waits, counts."""
        return self._here().stats()

    def close(self) -> None:
        """Stops the threads. Batches that were handed out stay valid."""
        self._loader.close()

    def __enter__(self) -> "Loader":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        paths = self._args["paths"]
        what = repr(paths[0]) if len(paths) == 1 else f"[{paths[0]!r}, ... {len(paths)} files]"
        return f"assay.Loader({what}, batch={self._args['options']['batch']})"


class _Epoch:
    """The batches of one epoch."""

    def __init__(self, owner: Loader, loader: _assay.Loader) -> None:
        self._next, self._inline = loader.next, owner._inline

    def __iter__(self) -> "_Epoch":
        return self

    def __next__(self) -> _assay.Batch:
        batch = self._next(self._inline)
        if batch is None:
            raise StopIteration
        return batch
