"""Small facts about the relay itself, by key."""

from __future__ import annotations

import secrets

from .database import Transaction
from .queries import sql


def get(tx: Transaction, key: str) -> str | None:
    """The value, or ``None``."""
    row = tx.execute(sql.get_meta, (key,)).fetchone()
    return None if row is None else str(row[0])


def put(tx: Transaction, key: str, value: str) -> None:
    """Set the value."""
    tx.execute(sql.set_meta, (key, value))


def relay_id(tx: Transaction) -> str:
    """This state folder's own id, made at its first use; instances outside are labelled with it."""
    known = get(tx, "relay_id")
    if known is None:
        known = secrets.token_hex(8)
        put(tx, "relay_id", known)
    return known


def simulated_devices(tx: Transaction) -> int | None:
    """How many simulated GPUs were declared at run time; ``None`` where nobody has."""
    value = get(tx, "simulated_devices")
    return None if value is None else int(value)


def declare_simulated_devices(tx: Transaction, count: int) -> None:
    """Keep the declared number of simulated GPUs."""
    put(tx, "simulated_devices", str(count))
