"""The relay's memory: one SQLite file, one writer.

``Store.run(fn)`` runs ``fn(transaction)`` in the writer thread. The functions to put in it live in
``jobs`` (rows and transitions), ``attempts`` (what the reconcile loop keeps), ``events``,
``stored_values`` and ``meta``. Events appended in a transaction are published to the followers by
the store itself, after the commit and in the order of the commits: nobody publishes by hand.
"""

from __future__ import annotations

from .database import StoredEvent, Transaction
from .rows import JobRow, Lease
from .writer import Store

__all__ = ["JobRow", "Lease", "Store", "StoredEvent", "Transaction"]
