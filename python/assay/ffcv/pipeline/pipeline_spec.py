"""PipelineSpec: an output made of a field by a decoder and transforms."""
from __future__ import annotations

from typing import Any, Optional, Sequence


class PipelineSpec:
    """An output of a loader: the field it is made of, the decoder (None: the first transform, or the
    field's own), the transforms behind it."""

    def __init__(self, source: str, decoder: Any = None,
                 transforms: Optional[Sequence[Any]] = None) -> None:
        self.source, self.decoder = source, decoder
        self.transforms = list(transforms or [])
        self.default_pipeline = decoder is None and not self.transforms

    def __repr__(self) -> str:
        return repr((self.source, self.decoder, self.transforms))
