"""Workers that were added, and the tokens they were added by. Functions for ``Store.run``."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from .database import Transaction
from .queries import sql

#: How long tokens are kept that nobody used, so that who comes late is told so; and sessions whose host
#: is no worker, in milliseconds.
_UNUSED_MS, _IDLE_MS = 24 * 3600 * 1000, 30 * 24 * 3600 * 1000


@dataclass(frozen=True)
class WorkerTokenRow:
    """A one-time token, and the session that has used it up."""

    expires_ms: int
    #: ``None`` until it is used.
    session_hash: str | None
    #: What the host called itself.
    hostname: str
    #: Whether the host has left since.
    left: bool


@dataclass(frozen=True)
class EnrolledWorker:
    """A host that has become a worker, and how the relay reaches it."""

    #: The Swarm's id of its node.
    node_id: str
    #: What it was called in the list of workers when it was enrolled; the node's id is what counts.
    name: str
    session_hash: str
    ssh_address: str
    ssh_port: int
    ssh_user: str
    #: The only host key to trust there: "ssh-ed25519 AAAA...".
    host_key: str
    #: What ``probe`` printed when the relay asked it by SSH.
    probe: dict[str, Any]
    enrolled_ms: int


def add_token(tx: Transaction, token_hash: str, created_ms: int, expires_ms: int) -> None:
    """Keep a new token, and remove what is too old to be asked for."""
    old = {"unused_before_ms": created_ms - _UNUSED_MS, "used_before_ms": created_ms - _IDLE_MS}
    tx.execute(sql.delete_worker_tokens, old)
    new = {"token_hash": token_hash, "created_ms": created_ms, "expires_ms": expires_ms}
    tx.execute(sql.insert_worker_token, new)


def use_token(
    tx: Transaction, token_hash: str, session_hash: str, hostname: str, now_ms: int
) -> WorkerTokenRow | None:
    """Give the token to this session where nobody has it and it has not expired; the row as it is then.

    ``None`` where there is no such token. Whose it is, the caller compares.
    """
    use = {
        "token_hash": token_hash, "session_hash": session_hash, "hostname": hostname, "now_ms": now_ms
    }  # fmt: skip
    tx.execute(sql.use_worker_token, use)
    row = tx.execute(sql.find_worker_token, (token_hash,)).fetchone()
    return None if row is None else _token_row(row)


def find_session(tx: Transaction, session_hash: str) -> WorkerTokenRow | None:
    """The session with this key, also where its host has left."""
    row = tx.execute(sql.find_worker_session, (session_hash,)).fetchone()
    return None if row is None else _token_row(row)


def resume_session(tx: Transaction, session_hash: str, now_ms: int) -> None:
    """The host is there, perhaps again."""
    tx.execute(sql.touch_worker_session, {"session_hash": session_hash, "now_ms": now_ms})


def end_session(tx: Transaction, session_hash: str, now_ms: int) -> None:
    """The host has left: none of its nodes is a worker any more."""
    tx.execute(sql.end_worker_session, {"session_hash": session_hash, "now_ms": now_ms})
    for worker in load_enrolled(tx):
        if worker.session_hash == session_hash:
            remove(tx, worker.node_id)


def put(tx: Transaction, worker: EnrolledWorker) -> None:
    """Keep a worker, in the place of what was known of its node."""
    tx.execute(sql.put_worker, {**vars(worker), "probe": json.dumps(worker.probe)})


def find(tx: Transaction, node_id: str) -> EnrolledWorker | None:
    """The worker on this node."""
    row = tx.execute(sql.find_worker, (node_id,)).fetchone()
    return None if row is None else _worker(row)


def load_enrolled(tx: Transaction) -> list[EnrolledWorker]:
    """All workers that were added and have not left, the oldest first."""
    return [_worker(row) for row in tx.execute(sql.list_workers)]


def remove(tx: Transaction, node_id: str) -> None:
    """Forget the worker on this node. Idempotent."""
    tx.execute(sql.delete_worker, (node_id,))


def _token_row(row: sqlite3.Row) -> WorkerTokenRow:
    return WorkerTokenRow(row["expires_ms"], row["session_hash"], row["hostname"], row["left_ms"] is not None)


def _worker(row: sqlite3.Row) -> EnrolledWorker:
    return EnrolledWorker(**{**dict(row), "probe": json.loads(row["probe"])})
