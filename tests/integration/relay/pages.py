"""A page that watches: what it has been told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from tests.patience import LIMIT_S

from .harness import TOKEN, Server


class Page:
    """Reads the stream as it comes."""

    def __init__(self) -> None:
        self.news: list[tuple[str, dict[str, Any]]] = []
        self.ended = False
        self._told = asyncio.Event()

    async def read(self, reader: asyncio.StreamReader) -> None:
        """Read to the stream's end."""
        await reader.readuntil(b"\r\n\r\n")
        with suppress(asyncio.IncompleteReadError):
            while block := (await reader.readuntil(b"\n\n")).decode().strip():
                if not block.startswith(":"):
                    name, data = block.split("\n", 1)
                    self.news.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
                self._told.set()
        self.ended = True
        self._told.set()

    async def until(self, true: Callable[[], object]) -> None:
        """Wait until this is true of all that was told."""
        async with asyncio.timeout(LIMIT_S):
            while not true():
                self._told.clear()
                await self._told.wait()

    def of(self, name: str) -> list[dict[str, Any]]:
        """What was told under this name."""
        return [body for told, body in self.news if told == name]

    def views(self, job_id: str) -> list[dict[str, Any]]:
        """A job as it was told, from the first time to the last."""
        every = [
            job for name, body in self.news for job in (body["jobs"] if name == "jobs" else [body])
            if name in ("jobs", "job")
        ]  # fmt: skip
        return [job for job in every if job["id"] == job_id]

    def states(self, job_id: str) -> list[str]:
        """The states of a job, as they were told."""
        return [job["state"] for job in self.views(job_id)]


@asynccontextmanager
async def connected(server: Server, token: str = TOKEN) -> AsyncIterator[asyncio.StreamReader]:
    """The answer to ``GET /watch``, for the length of the block."""
    url = urlsplit(server.root)
    reader, writer = await asyncio.open_connection(url.hostname, url.port, limit=1 << 24)
    # Of HTTP/1.0, so that the answer comes as it is and not in chunks.
    head = f"GET {url.path}/watch HTTP/1.0\r\nHost: {url.netloc}\r\nAuthorization: Bearer {token}"
    writer.write(f"{head}\r\n\r\n".encode())
    try:
        yield reader
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def watching(server: Server, token: str = TOKEN) -> AsyncIterator[Page]:
    """A page that watches for the length of the block, and has been told what there is."""
    page = Page()
    async with connected(server, token) as reader:
        reading = asyncio.ensure_future(page.read(reader))
        try:
            await page.until(lambda: page.of("workers") or page.ended)
            yield page
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading
