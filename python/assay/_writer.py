"""Writer: .beton files sample by sample."""
from __future__ import annotations

import json
from typing import Any, Iterable, Mapping, Optional, Sequence, Tuple

from . import _assay
from ._types import Path, given

TYPES = {"float": 0, "int": 1, "image": 2, "bytes": 3, "ndarray": 4, "json": 5, "tensor": 6,
         "custom": 255}


def pixels(image: Any) -> Any:
    """A picture of Pillow's as an array; anything else as it is."""
    if hasattr(image, "__array_interface__") and not hasattr(image, "__dlpack__") and hasattr(
            image, "getbands"):
        if image.mode not in ("L", "LA", "RGB", "RGBA"):
            image = image.convert("RGB")
        width, height = image.size
        bands = len(image.getbands())
        return memoryview(image.tobytes()).cast("B", (height, width, bands))
    return image


def field_tuple(name: str, spec: Any) -> Tuple[str, int, Optional[str], Sequence[int], int, int, int]:
    """"int", ("ndarray", "<f4", (3, 4)) or ("custom", cell_bytes, cell_align[, pointer]) as the
    extension takes it."""
    kind, *rest = (spec,) if isinstance(spec, str) else tuple(spec)
    if kind not in TYPES:
        raise _assay.InvalidArgument(f"field {name!r}: there is no type {kind!r}; there are "
                                     + ", ".join(TYPES))
    if kind in ("ndarray", "tensor"):
        if len(rest) != 2:
            raise _assay.InvalidArgument(f"field {name!r}: ({kind!r}, typestr, shape) is wanted")
        return name, TYPES[kind], rest[0], tuple(rest[1]), 0, 0, -1
    if kind == "custom":
        if len(rest) not in (2, 3):
            raise _assay.InvalidArgument(
                f"field {name!r}: ('custom', cell_bytes, cell_align[, pointer]) is wanted")
        return name, TYPES[kind], None, (), rest[0], rest[1], rest[2] if len(rest) == 3 else -1
    if rest:
        raise _assay.InvalidArgument(f"field {name!r}: {kind!r} takes no arguments")
    return name, TYPES[kind], None, (), 0, 0, -1


class Writer:
    """Writes a .beton of a known number of samples; FFCV reads it, too.

        fields = {"image": "image", "label": "int", "where": ("ndarray", "<f4", (2,))}
        with assay.Writer("out.beton", fields, len(images), classes=["cat", "dog"]) as w:
            for image, label, where in samples:
                w.add(image, label, where)

    fields: {name: type}; types are "image", "int", "float", "bytes", "json", ("ndarray", typestr,
        shape), ("tensor", typestr, shape), ("custom", cell_bytes, cell_align[, pointer]).
    mode: of images: "raw", "jpg", "keep", "smart", "proportion", "auto". quality: of "jpg", 1..100.
    max_resolution: longest side. page_size: bytes; 0: 8 MiB. force: replace an existing file.
    classes: names of the values of the field "label". train_rows: so many samples are for training.

    The file gets its name when the block is left without an exception, or at commit(); until then,
    and after a crash, nothing of that name appears. Its bytes don't depend on the number of threads.
    """

    def __init__(self, path: Path, fields: Mapping[str, Any], samples: int, *,
                 mode: Optional[str] = None, quality: Optional[int] = None,
                 max_resolution: Optional[int] = None, page_size: Optional[int] = None,
                 smart_threshold: Optional[int] = None, proportion: Optional[float] = None,
                 seed: Optional[int] = None, force: bool = False,
                 classes: Optional[Sequence[str]] = None, train_rows: Optional[int] = None,
                 context: Optional[_assay.Context] = None) -> None:
        specs = [field_tuple(name, spec) for name, spec in fields.items()]
        self._kinds = [s[1] for s in specs]
        self._names = list(fields)
        self._path, self.sha256 = path, None
        self._writer = _assay.Writer(
            path, specs, samples,
            given(mode=mode, quality=quality, max_resolution=max_resolution, page_size=page_size,
                  smart_threshold=smart_threshold, proportion=proportion, seed=seed, force=force,
                  train_rows=train_rows), classes=classes, context=context)

    sha256: Optional[str]

    def _value(self, kind: int, value: Any) -> Any:
        if kind == TYPES["image"]:
            return pixels(value)
        if kind == TYPES["json"] and not isinstance(value, (bytes, memoryview)):
            return json.dumps(value)
        return value

    def add(self, *values: Any, **named: Any) -> None:
        """The next sample: a value for each field, in order or by name.

        image: u8 [H, W], [H, W, 1..4], a Pillow image, or the bytes of a JPEG or PNG file.
        int, float: numbers. bytes: anything with a buffer. json: an object, or bytes of JSON.
        ndarray, tensor: an array of that shape and type. custom: (cell[, payload]).
        Everything is copied. Samples are encoded in blocks, so that a fault may show later; the
        exception names the sample.
        """
        if named:
            if values or set(named) != set(self._names):
                raise TypeError("a value for each field is wanted: " + ", ".join(self._names))
            values = tuple(named[n] for n in self._names)
        if len(values) != len(self._kinds):
            raise TypeError("a value for each field is wanted: " + ", ".join(self._names))
        self._writer.add(tuple(self._value(k, v) for k, v in zip(self._kinds, values)))

    def extend(self, samples: Iterable[Sequence[Any]]) -> None:
        """Adds samples, each a sequence of values."""
        for sample in samples:
            self.add(*sample)

    def commit(self) -> str:
        """Writes what is left and puts the file under its name; the content's SHA-256."""
        self.sha256 = self._writer.commit()
        return self.sha256

    def close(self) -> None:
        """Gives up a file that was not committed."""
        self._writer.close()

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        if kind is None and self.sha256 is None:
            self.commit()
        self.close()

    def __repr__(self) -> str:
        return f"assay.Writer({str(self._path)!r}, {', '.join(self._names)})"


