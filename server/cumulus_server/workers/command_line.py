"""A worker's ``chronos_cli`` at the other end of one SSH connection that is kept open."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..partitions.remote import Answer, Unreachable
from .ssh import Host, connect

if TYPE_CHECKING:
    import asyncssh

__all__ = ["CommandLine"]

_CLI = "chronos_cli"


class CommandLine:
    """Commands go by one session that stays, so that each costs one round trip and starts no process.

    Where the worker's ``chronos_cli`` has no session, each is run by itself.
    """

    def __init__(self, host: Host, key: Path, timeout_s: float, on_lost: Callable[[], None]) -> None:
        """``on_lost`` is called when an open connection has ended by itself."""
        self.host = host
        self._key = key
        self._timeout_s = timeout_s
        self._on_lost = on_lost
        self._opening = asyncio.Lock()
        #: Open, lost, or not there yet.
        self.connection: asyncssh.SSHClientConnection | None = None
        self._session: _Session | None = None
        self._failure: Unreachable | None = None
        self._failed_at = 0.0

    async def run(self, words: Sequence[str], options: Sequence[str] = ()) -> Answer:
        """See ``partitions.remote.Remote``."""
        await self._open()
        try:
            async with asyncio.timeout(self._timeout_s):
                if self._session is not None:
                    return await self._session.ask([*words, *options])
                return await self._run_once(words)
        except TimeoutError:
            self.close()
            raise self._silent() from None

    def close(self) -> None:
        """End the connection. Idempotent; the next command opens another one."""
        connection, self.connection, self._session = self.connection, None, None
        if connection is not None:
            connection.abort()

    async def _open(self) -> None:
        """Several who wait for one try share its outcome."""
        if self._is_open():
            return
        now = asyncio.get_running_loop().time
        asked = now()
        async with self._opening:
            if self._is_open():
                return
            if self._failure is not None and self._failed_at >= asked:
                raise self._failure
            try:
                await self._connect()
            except Unreachable as error:
                self._failure, self._failed_at = error, now()
                raise

    def _is_open(self) -> bool:
        if self.connection is None or self.connection.is_closed():
            return False
        return self._session is None or not self._session.ended

    async def _connect(self) -> None:
        import asyncssh

        self.close()
        connection = await connect(self.host, self._key, self._timeout_s)
        try:
            async with asyncio.timeout(self._timeout_s):
                session = _Session(self._ended)
                made: Any = session  # the class to inherit from would have to be imported for it
                await connection.create_session(lambda: made, f"{_CLI} session", encoding="utf-8")
                spoken = await session.hello()
        except TimeoutError:
            connection.abort()
            raise self._silent() from None
        except (OSError, asyncssh.Error) as error:
            connection.abort()
            raise Unreachable(f"its SSH at {self.host.where} gave no session: {error}") from None
        except BaseException:
            connection.abort()
            raise
        self.connection, self._session = connection, session if spoken else None

    def _ended(self) -> None:
        if self._session is not None:
            self.close()
            self._on_lost()

    def _silent(self) -> Unreachable:
        return Unreachable(
            f"{_CLI} at {self.host.where} did not answer within {self._timeout_s:g} s",
            next="See whether that host is overloaded, and whether chronosd runs there.",
        )

    async def _run_once(self, words: Sequence[str]) -> Answer:
        import asyncssh

        assert self.connection is not None
        try:
            done = await self.connection.run(shlex.join([_CLI, *words]), stdin=asyncssh.DEVNULL)
        except (OSError, asyncssh.Error) as error:
            self.close()
            raise Unreachable(f"the SSH connection to {self.host.where} was lost: {error}") from None
        status = 255 if done.exit_status is None else done.exit_status
        return Answer(status, None, str(done.stdout or ""), str(done.stderr or ""))


class _Session:
    """The channel of ``chronos_cli session``: one line asks, one line answers. An ``SSHClientSession``."""

    def __init__(self, on_end: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self.ended = False
        self._on_end = on_end
        self._channel: Any = None
        self._hello: asyncio.Future[bool] = loop.create_future()
        self._asked: dict[int, asyncio.Future[Answer]] = {}
        self._numbers = count(1)
        self._rest = ""

    async def hello(self) -> bool:
        """Whether this command line has sessions."""
        return await self._hello

    async def ask(self, argv: list[str]) -> Answer:
        """The answer to one command. Raises ``Unreachable`` where the session ends before it."""
        number = next(self._numbers)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            if self.ended:
                raise _lost()
            self._channel.write(json.dumps({"id": number, "argv": argv}) + "\n")
            return await answer
        finally:
            self._asked.pop(number, None)

    def connection_made(self, chan: Any) -> None:
        """The channel is there."""
        self._channel = chan

    def session_started(self) -> None:
        """The command runs."""

    def data_received(self, data: str, datatype: Any) -> None:
        """Some of its output; what it says on standard error is no answer."""
        if datatype is not None:
            return
        *lines, self._rest = (self._rest + data).split("\n")
        for line in lines:
            self._take(line)

    def _take(self, line: str) -> None:
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if not self._hello.done():
            self._hello.set_result(isinstance(told, dict) and "chronos" in told)
        elif isinstance(told, dict):
            waiting = self._asked.pop(told.get("id", 0), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(Answer(int(told["exit"]), told.get("answer")))

    def eof_received(self) -> bool:
        """It says no more."""
        return False

    def exit_status_received(self, status: int) -> None:
        """It has ended."""

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        """It was ended."""

    def pause_writing(self) -> None:
        """Commands are small: what is asked is sent when it can be."""

    def resume_writing(self) -> None:
        """See ``pause_writing``."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is closed: whoever waits for an answer gets none."""
        spoke = self._hello.done() and self._hello.result()
        self.ended = True
        if not self._hello.done():
            self._hello.set_result(False)
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(_lost())
        if spoke:
            self._on_end()


def _lost() -> Unreachable:
    return Unreachable(
        "the connection to chronos_cli was lost",
        next="See that the host is up, and that sshd and chronosd run there.",
    )
