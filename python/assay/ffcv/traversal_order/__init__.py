"""Orders: names for what OrderOption says; the library makes them."""
from .base import TraversalOrder


class Sequential(TraversalOrder):
    """OrderOption.SEQUENTIAL."""
    native = "sequential"


class Random(TraversalOrder):
    """OrderOption.RANDOM."""
    native = "random"


class QuasiRandom(TraversalOrder):
    """OrderOption.QUASI_RANDOM: also with `distributed`."""
    native = "quasi-random"


__all__ = ["QuasiRandom", "Random", "Sequential", "TraversalOrder"]
