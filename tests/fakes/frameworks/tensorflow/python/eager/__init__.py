"""Stands in for tensorflow.python.eager."""
