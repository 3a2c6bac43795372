"""Stands in for torch: as much as its memory fraction needs."""

from . import cuda  # noqa: F401
