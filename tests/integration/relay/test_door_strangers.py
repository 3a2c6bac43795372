"""Who asks nothing at the door is not kept there."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest

from cumulus_server.door import listener
from tests.patience import LIMIT_S

from .harness import Server
from .test_door import Outside, doors


@pytest.mark.parametrize("said", [b"", b"POST /"], ids=["silent", "half a request"])
async def test_a_connection_that_asks_nothing_is_hung_up(
    server: Server, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(listener, "IDLE_S", 0.1)
    async with doors(server) as opened:
        url = urlsplit((await opened.address(Outside("bridge").executor())).url)
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        writer.write(said)
        async with asyncio.timeout(LIMIT_S):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
