"""Numbered changes of the schema; ``PRAGMA user_version`` says how many a database has had."""

from __future__ import annotations

import sqlite3
from importlib import resources

from cumulus_jupyter.protocol.errors import FailedPrecondition


def migrations() -> list[str]:
    """The SQL scripts, in order."""
    files = sorted(
        (file for file in resources.files(__name__).iterdir() if file.name.endswith(".sql")),
        key=lambda file: file.name,
    )
    return [file.read_text("utf-8") for file in files]


def migrate(conn: sqlite3.Connection) -> None:
    """Bring a database up to this version's schema, one transaction a step.

    Raises ``FailedPrecondition`` for a database written by a newer relay.
    """
    (version,) = conn.execute("PRAGMA user_version").fetchone()
    scripts = migrations()
    if version > len(scripts):
        raise FailedPrecondition(
            f"The state folder has schema {version} of a newer relay; this one knows {len(scripts)}",
            next="Upgrade cumulus-jupyter, or choose another state folder with CumulusApp.state_dir.",
        )
    for number, script in enumerate(scripts[version:], start=version + 1):
        conn.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
