"""Types that several modules speak of."""
from __future__ import annotations

import os
from typing import Any, Callable, Dict, Optional, Union

Path = Union[str, "os.PathLike[str]"]
#: progress(phase, phase_index, phase_count, done, total, unit, seconds); False cancels
Progress = Callable[[str, int, int, int, int, str, float], Optional[bool]]
#: anything with the buffer protocol or DLPack: numpy.ndarray, torch.Tensor, bytes, assay.Array
ArrayLike = Any
Options = Dict[str, Any]


def text_paths(paths: Any) -> list[str]:
    """One path or several, as a list of str."""
    if isinstance(paths, (str, bytes, os.PathLike)):
        return [os.fsdecode(paths)]
    return [os.fsdecode(p) for p in paths]


def given(**options: Any) -> Options:
    """The options that were given: None stands for the library's default."""
    return {name: value for name, value in options.items() if value is not None}
