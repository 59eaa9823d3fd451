"""DatasetWriter: .beton files from indexable datasets and webdatasets."""
from __future__ import annotations

import random
from typing import Any, Callable, Iterable, List, Mapping, Optional, Sequence

from .. import _assay
from .._writer import Writer
from .fields import Field, RGBImageField

MIN_PAGE_SIZE = 1 << 21
MAX_PAGE_SIZE = 1 << 32


class DatasetWriter:
    """Writes a dataset as a .beton.

    fields: {name: field}, in their order. num_workers: threads that encode; -1: all. The dataset is
    asked for its samples in this process, one after the other (FFCV: in worker processes).
    """

    def __init__(self, fname: str, fields: Mapping[str, Field], page_size: int = 4 * MIN_PAGE_SIZE,
                 num_workers: int = -1) -> None:
        if page_size & (page_size - 1) or not page_size:
            raise ValueError("page_size isnt a power of 2")
        if not MIN_PAGE_SIZE <= page_size < MAX_PAGE_SIZE:
            raise ValueError(f"page_size is from {MIN_PAGE_SIZE} to {MAX_PAGE_SIZE - 1}")
        self.fname, self.fields, self.page_size = fname, fields, page_size
        self.num_workers = num_workers
        self._options = self._image_options()
        for name, field in fields.items():
            if getattr(field, "spec", None) is None:
                raise _assay.Unsupported(
                    f"field {name!r}: encoding code of FFCV's can't be taken over; "
                    "assay.Writer writes custom fields from their cells' bytes")

    def _image_options(self) -> dict[str, Any]:
        images = [f for f in self.fields.values() if isinstance(f, RGBImageField)]
        said = {(f.write_mode, f.max_resolution, f.smart_threshold, f.jpeg_quality, f.proportion)
                for f in images}
        if len(said) > 1:
            raise _assay.Unsupported("the RGBImageFields of a file must have the same arguments")
        if not images:
            return {}
        f = images[0]
        options: dict[str, Any] = {"mode": f.write_mode, "quality": f.jpeg_quality,
                                   "max_resolution": f.max_resolution or 0}
        if f.write_mode == "smart":
            options["smart_threshold"] = (1 << 62) if f.smart_threshold is None else f.smart_threshold
        if f.write_mode == "proportion":
            options["proportion"] = f.proportion
        return options

    def _write(self, samples: Iterable[Sequence[Any]], count: int) -> None:
        specs = {name: field.spec for name, field in self.fields.items()}
        threads = self.num_workers if self.num_workers > 0 else 0
        with Writer(self.fname, specs, count, page_size=self.page_size, force=True,
                    context=_assay.Context(threads), **self._options) as writer:
            writer.extend(samples)

    def from_indexed_dataset(self, dataset: Any, indices: Optional[Sequence[int]] = None,
                             chunksize: int = 100, shuffle_indices: bool = False) -> None:
        """Writes dataset[i] for all i, or for `indices`."""
        del chunksize
        order: List[int] = list(range(len(dataset)) if indices is None else indices)
        if shuffle_indices:
            random.shuffle(order)
        self._write((dataset[i] for i in order), len(order))

    def from_webdataset(self, shards: List[str], pipeline: Callable[[Any], Any]) -> None:
        """Writes the samples of shards (the package webdataset reads them, twice: to count them
        first). assay.pack reads tar shards itself."""
        from webdataset import WebDataset

        def samples() -> Iterable[Any]:
            for shard in shards:
                yield from pipeline(WebDataset(shard))
        self._write(samples(), sum(1 for _ in samples()))
