"""Loader, and the orders it knows."""
from .loader import Loader, OrderOption

__all__ = ["Loader", "OrderOption"]
