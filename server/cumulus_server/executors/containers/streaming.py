"""What an engine sends bit by bit, read in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any


class Stream:
    """An asynchronous iterator over a blocking one."""

    def __init__(self, begin: Callable[[], Any], told: Callable[[Exception], Exception]) -> None:
        """``begin`` connects and gives the iterator; ``told`` turns its errors into ours."""
        self._begin, self._told = begin, told
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[dict[str, Any] | Exception | None] = asyncio.Queue()
        self._open = self._loop.create_future()
        self._source: Any = None
        self._closed = threading.Event()
        threading.Thread(target=self._pump, name="cumulus-engine-stream", daemon=True).start()

    async def opened(self, timeout_s: float) -> None:
        """Wait until it is connected. Raises what has come in between."""
        async with asyncio.timeout(timeout_s):
            await self._open

    def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        return self

    async def __anext__(self) -> dict[str, Any]:
        item = await self._items.get()
        if item is None:
            raise StopAsyncIteration
        if isinstance(item, Exception):
            raise item
        return item

    def close(self) -> None:
        """Hang up; the thread ends by that, or with what it gets next."""
        self._closed.set()
        if not self._open.done():
            self._open.cancel()
        self._hang_up()

    def _hang_up(self) -> None:
        close = getattr(self._source, "close", None)
        if close is not None:
            with contextlib.suppress(Exception):  # a generator that waits for its next item
                close()

    def _pump(self) -> None:
        last: Exception | None = None
        try:
            self._source = self._begin()
            if self._closed.is_set():  # closed meanwhile, when there was nothing to hang up on
                self._hang_up()
                return
            self._soon(self._connected)
            for item in self._source:
                if self._closed.is_set():
                    break
                self._soon(self._items.put_nowait, item)
        except Exception as error:
            last = self._told(error)
            self._soon(self._failed, last)
        finally:
            response = getattr(self._source, "_response", None)  # docker-py hangs up without closing it
            if response is not None:
                response.close()
        self._soon(self._items.put_nowait, last)

    def _connected(self) -> None:
        if not self._open.done():
            self._open.set_result(None)

    def _failed(self, error: Exception) -> None:
        if not self._open.done():
            self._open.set_exception(error)

    def _soon(self, fn: Callable[..., object], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended before us
            self._loop.call_soon_threadsafe(fn, *args)
