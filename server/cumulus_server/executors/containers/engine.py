"""The Docker Engine's client: the one module that knows docker-py.

Its calls block, so they run in a bounded pool of threads, each with a timeout. What goes wrong comes
back as one of the errors of ``failures``. The client is made with the first call, and again after a
call that did not reach the engine, which may be another one by then.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, TypeVar

from . import addresses, failures
from .failures import EngineGone
from .streaming import Stream

T = TypeVar("T")

#: Seconds a call may take, unless it says otherwise.
CALL_S = 60.0
#: The oldest API that has what is needed: that of Docker 20.10.
OLDEST_API = (1, 41)


class Engine:
    """One engine. Used by executors only, from the event loop."""

    def __init__(self, host: str = "", threads: int = 8, *, setting: str = "docker_host") -> None:
        """``host`` is an address as DOCKER_HOST has it; empty for that, else the usual socket.

        ``setting`` is the name of the setting for it, for what users are told. Nothing is connected yet.
        """
        self.host = addresses.resolve(host)
        self.setting = setting
        self._threads = threads
        self._pool = concurrent.futures.ThreadPoolExecutor(threads, thread_name_prefix="cumulus-engine")
        self._lock = threading.Lock()
        self._made: tuple[Any, Mapping[str, Any]] | None = None
        self._closed = False

    async def call(self, fn: Callable[[Any], T], timeout_s: float = CALL_S) -> T:
        """``fn(client)``, a ``docker.DockerClient``, in a thread.

        Raises ``EngineGone``, ``Missing``, ``Conflict``, ``EngineRefused``. After ``EngineGone`` for a
        timeout, what was asked may still happen.
        """
        if self._closed:
            raise EngineGone(f"The connection to the Docker Engine at {self.host} is closed")
        future = asyncio.get_running_loop().run_in_executor(self._pool, self._run, fn)
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            raise failures.silence(self.host, timeout_s) from None

    async def info(self) -> Mapping[str, Any]:
        """What the engine says about itself, as of the connection."""
        if self._made is None:
            await self.call(lambda client: None)
        made = self._made
        if made is None:
            raise EngineGone(f"The Docker Engine at {self.host} went away")
        return made[1]

    async def ping(self, timeout_s: float = 10.0) -> None:
        """Raise ``EngineGone`` where it does not answer."""
        await self.call(lambda client: client.api.ping(), timeout_s)

    @property
    def connected(self) -> bool:
        """Whether the last call has reached it."""
        return self._made is not None

    @contextlib.asynccontextmanager
    async def follow(self, filters: Mapping[str, Sequence[str]]) -> AsyncIterator[Stream]:
        """The engine's events from now on; ``async for`` ends where the connection does.

        By the time this is entered, nothing that happens is missed. Raises as ``call`` does.
        """
        wanted = {name: list(values) for name, values in filters.items()}
        async with self.stream(lambda client: client.api.events(decode=True, filters=wanted)) as events:
            yield events

    @contextlib.asynccontextmanager
    async def stream(self, fn: Callable[[Any], Any]) -> AsyncIterator[Stream]:
        """The items of ``fn(client)``, which comes one by one, in a thread of its own."""
        found = Stream(lambda: fn(self._client()), self._told)
        try:
            await found.opened(CALL_S)
            yield found
        finally:
            found.close()

    def close(self) -> None:
        """Let go of threads and connections. Calls under way are not waited for."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._drop()

    def _run(self, fn: Callable[[Any], T]) -> T:
        client = None
        try:
            client = self._client()
            return fn(client)
        except Exception as error:
            raise self._told(error) from error
        finally:
            if self._closed and client is not None:  # meanwhile: it may have connected again
                client.close()

    def _told(self, error: Exception) -> Exception:
        told = failures.told(error, self.host, self.setting)
        if isinstance(told, EngineGone):
            self._drop()
        return told

    def _client(self) -> Any:
        with self._lock:
            if self._made is None:
                made = self._connect()
                if self._closed:  # meanwhile
                    made[0].close()
                    raise EngineGone(f"The connection to the Docker Engine at {self.host} is closed")
                self._made = made
            return self._made[0]

    def _connect(self) -> tuple[Any, Mapping[str, Any]]:
        addresses.knock(self.host)
        import docker  # takes a tenth of a second, and memory that is not spent where no engine is
        from docker.transport import unixconn

        # Its own leaves the socket open where nobody answers.
        unixconn.UnixHTTPConnection.connect = _connect_or_close
        client = docker.DockerClient(
            version="auto", timeout=CALL_S, max_pool_size=self._threads, **addresses.tls_of(self.host)
        )
        client.api.trust_env = False  # no proxy stands before an engine
        version = str(client.api.api_version)
        if tuple(map(int, version.split("."))) < OLDEST_API:
            client.close()
            raise failures.too_old(self.host, version)
        info: Mapping[str, Any] = client.info()
        if info.get("OSType", "linux") != "linux":
            client.close()
            raise failures.wrong_os(self.host, str(info["OSType"]))
        return client, info

    def _drop(self) -> None:
        with self._lock:
            made, self._made = self._made, None
        if made is not None:
            made[0].close()


def _connect_or_close(connection: Any) -> None:
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        door.settimeout(connection.timeout)
        door.connect(connection.unix_socket)
    except BaseException:
        door.close()
        raise
    connection.sock = door
