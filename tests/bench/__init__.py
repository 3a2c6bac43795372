"""Benches against the best of each kind: ``python -m tests.bench NAME``, or ``make bench``."""
