"""Dataset: what is in a .beton, sample by sample."""
from __future__ import annotations

import json
import os
from typing import Any, Iterator, NamedTuple, Optional, Tuple, Union

from . import _assay
from ._types import Path

TYPES = {0: "float", 1: "int", 2: "image", 3: "bytes", 4: "ndarray", 5: "json", 6: "tensor",
         255: "custom"}


class Field(NamedTuple):
    """A field of a file: its name, type ("image", "int", ...), element type in NumPy's words, and
    shape, with -1 where samples differ."""
    name: str
    type: str
    dtype: str
    shape: Tuple[int, ...]


class Dataset:
    """A .beton file, ours or FFCV's, mapped: len(), rows, single values, what it says of itself.

        with assay.Dataset("cifar.beton") as data:
            image, label = data[17]             # u8 [H, W, 3] and an int
            names = data.classes

    data[i] is a tuple with a value for each field: images u8 [H, W, 3] upright, numbers as int and
    float, arrays as assay.Array, bytes as bytes, JSON as the object. It is a map-style dataset to
    torch.utils.data.DataLoader, and may be pickled and go over a fork. For training, assay.Loader is
    the fast way.
    """

    def __init__(self, path: Path) -> None:
        self._path = os.fsdecode(path)
        self._open()

    def _open(self) -> None:
        self._reader: Optional[_assay.Reader] = _assay.Reader(self._path)
        self._fields = tuple(Field(name, TYPES[kind], typestr, shape)
                             for name, kind, typestr, shape in self._reader.fields())
        self._info: Optional[dict[str, Any]] = None

    def _here(self) -> _assay.Reader:
        if self._reader is None:
            raise _assay.InvalidArgument("the dataset is closed")
        return self._reader

    def __getstate__(self) -> dict[str, Any]:
        return {"_path": self._path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    @property
    def path(self) -> str:
        """The file's name."""
        return self._path

    @property
    def fields(self) -> Tuple[Field, ...]:
        """The fields of a sample, in their order."""
        return self._fields

    @property
    def info(self) -> dict[str, Any]:
        """All that `assay info` says: fields, classes, splits, sha256, provenance. Looks at each
        image's size."""
        if self._info is None:
            self._info = json.loads(_assay.info(self._path, None, None, None, None))
        return self._info

    @property
    def classes(self) -> list[str]:
        """Names of the labels; empty when the file does not say."""
        return list(self.info["classes"])

    @property
    def splits(self) -> dict[str, range]:
        """Rows of each split; empty when the file does not say."""
        return {s["name"]: range(s["begin"], s["end"]) for s in self.info["splits"]}

    @property
    def sha256(self) -> Optional[str]:
        """The content's identity, when the file names it."""
        sha = self.info["sha256"]
        return None if sha is None else str(sha)

    @property
    def page_size(self) -> int:
        """Bytes of a page of the file."""
        return self._here().page_size

    def __len__(self) -> int:
        return self._here().samples

    def _field(self, field: Union[int, str]) -> int:
        if isinstance(field, int):
            return field
        for i, f in enumerate(self._fields):
            if f.name == field:
                return i
        raise _assay.NotFound(f"no field is called {field!r}; there are "
                              + ", ".join(f.name for f in self._fields))

    def get(self, row: int, field: Union[int, str]) -> Any:
        """One value, decoded."""
        at = self._field(field)
        array = self._here().get(row, at)
        kind = self._fields[at].type
        if kind in ("int", "float"):
            return array.tolist()
        if kind == "bytes":
            return array.tobytes()
        if kind == "json":
            return json.loads(array.tobytes())
        return array

    def stored(self, row: int, field: Union[int, str]) -> bytes:
        """The bytes of a value as they are stored: a JPEG file, raw pixels, JSON text."""
        return self._here().stored(row, self._field(field))

    def __getitem__(self, row: int) -> Tuple[Any, ...]:
        n = len(self)
        if not -n <= row < n:
            raise IndexError(f"no row {row}, the file holds {n}")
        return tuple(self.get(row % n, i) for i in range(len(self._fields)))

    def __iter__(self) -> Iterator[Tuple[Any, ...]]:
        return (self[i] for i in range(len(self)))

    def close(self) -> None:
        """Lets the file go. Arrays that were handed out stay valid."""
        self._reader = None

    def __enter__(self) -> "Dataset":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._reader is None:
            return f"assay.Dataset({self._path!r}, closed)"
        fields = ", ".join(f"{f.name}: {f.type}" for f in self._fields)
        return f"assay.Dataset({self._path!r}, {len(self)} rows, {fields})"
