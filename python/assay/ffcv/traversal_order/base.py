"""TraversalOrder: which samples an epoch has, in which order."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Sequence

if TYPE_CHECKING:
    from ..loader.loader import Loader


class TraversalOrder:
    """The base of orders. A subclass of your own says by sample_order(epoch) which samples an epoch
    has, in their order; Loader(order=Class) makes one with itself."""

    def __init__(self, loader: "Loader") -> None:
        self.loader = loader
        self.indices = loader.indices
        self.seed = loader.seed
        self.distributed = loader.distributed
        self.sampler: Any = None

    def sample_order(self, epoch: int) -> Sequence[int]:
        """The samples of an epoch."""
        raise NotImplementedError
