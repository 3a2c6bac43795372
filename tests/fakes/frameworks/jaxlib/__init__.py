"""Stands in for jaxlib."""
