"""Sends files and receives them, without holding them in memory."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from tornado import web
from tornado.iostream import StreamClosedError

from cumulus_jupyter.protocol.errors import NotFound

from .base import whole_number

_CHUNK_BYTES = 1 << 20
#: How much more than allowed is read and dropped before the connection is closed instead.
_DRAIN_FACTOR = 4


async def send_file(handler: web.RequestHandler, path: Path) -> None:
    """Answer with a file's bytes."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise NotFound("The file is gone", next="It was removed with the job's history.") from None
    with file:
        handler.set_header("Content-Type", "application/octet-stream")
        handler.set_header("Content-Length", str(os.fstat(file.fileno()).st_size))
        while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            try:
                handler.write(chunk)
                await handler.flush()
            except StreamClosedError:
                return
    handler.finish()


def accept_body(handler: web.RequestHandler, limit_bytes: int) -> bool:
    """Raise tornado's own limit, so that this relay's is the one that answers.

    False where the announced length is over ``limit_bytes``: then answer at once.
    """
    # A request that a server is answering has its connection; tornado's type is of any.
    handler.request.connection.set_max_body_size(max(limit_bytes * _DRAIN_FACTOR, 1 << 30))  # type: ignore[union-attr]
    length = whole_number(handler.request.headers.get("Content-Length", ""))
    return length is None or length <= limit_bytes
