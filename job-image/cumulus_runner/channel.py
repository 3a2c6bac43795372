"""The relay as the runner sees it: where it is now, who we are to it, what it answers."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, Mapping, Optional, Set, Union

from cumulus_jupyter.protocol import API_PATH, PROTOCOL_HEADER

from .address import Address, parse_url
from .claim import claim_body, headers, new_session_key
from .http import Answer, Connection, Disconnected, FileBody, Unreachable
from .loop import Future, Loop
from .outcomes import tell

if TYPE_CHECKING:
    from cumulus_jupyter.protocol.channel import Assignment

    from .line import Line

#: How long the relay may be away before the runner gives up.
PATIENCE_S = 24 * 3600.0
_BACKOFF_FIRST_S, _BACKOFF_LIMIT_S = 0.1, 2.0
_VERSION_HEADER = PROTOCOL_HEADER.lower()


class Fenced(Exception):
    """This attempt is not ours any more: another runner has it, or the job has ended."""


class Refused(Exception):
    """The relay will not take this request, however often it is sent."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Unwritable(Exception):
    """There is no place here for what the relay has sent."""


class NotTheRelay(Disconnected):
    """Something else answers at the relay's address."""


class Connections:
    """Kept between jobs, so that the next job need not connect anew."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self._connection: Optional[Connection] = None
        #: Set where there is one.
        self.line: Optional[Line] = None

    def to(self, address: Address, certificate: str) -> Connection:
        """A connection to that relay; ``certificate`` as ``Assignment.relay_certificate``."""
        if self._connection is None or self._connection.address != address:
            self.close()
            self._connection = Connection(self.loop, address, certificate)
        return self._connection

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class RelayChannel:
    """One attempt's requests to the relay, repeated until they have been answered.

    Requests go one at a time. All raise ``Fenced``, ``Refused``, or ``Disconnected`` once the
    relay has been away for ``PATIENCE_S``.
    """

    def __init__(self, connections: Connections, assignment: Assignment, session_key: str = "") -> None:
        self._connections = connections
        self._loop = connections.loop
        self._assignment = assignment
        self._session_key = session_key or new_session_key()
        self._url = assignment.url
        self._turn: Optional[Future[None]] = None
        self._told: Set[str] = set()

    def begun(self, fd: int) -> None:
        """The claim has been sent already, on this connection."""
        self._connections.to(self.address(), self._assignment.relay_certificate).adopt(fd)

    async def claim(self) -> bytes:
        """Take the attempt. Returns the JSON of ``protocol.channel.Claimed``."""
        body = claim_body(self._assignment, self._session_key)
        answer = await self._ask("POST", "claim", self._assignment.claim_token, body, "application/json")
        return answer.body

    async def post(self, batch: bytes) -> Dict[str, Any]:
        """Post a batch. Returns the fields of ``protocol.channel.Acknowledged``."""
        answer = await self._ask("POST", "events", self._session_key, batch, "application/json")
        acknowledged: Dict[str, Any] = json.loads(answer.body)
        return acknowledged

    async def download(self, target: str, path: str) -> None:
        """Write what ``GET target`` answers to a file. Raises ``Unwritable`` as well."""
        download = _Download(path)
        try:
            await self._ask(
                "GET", target, self._session_key, sink=download.write, before=download.restart
            )
        finally:
            download.close()

    async def fetch_bundle(self, path: str) -> None:
        """Have the job's bundle at ``path``: linked to where the relay's files are at hand, else a copy."""
        there = await self._of_files("bundle", {})
        if there is not None:
            try:
                os.link(there["path"], path)
                return
            except OSError:  # Another file system, or another machine's.
                pass
        await self.download("bundle", path)

    async def store(self, name: str, path: str) -> None:
        """Store a value from a file: the relay links to it where it can, else it is sent."""
        if await self._of_files("value", {"name": name, "path": path}) is not None:
            return
        from urllib.parse import quote

        target = "values/" + quote(name, safe="@")
        body = FileBody(path)
        await self._ask("PUT", target, self._session_key, body, "application/octet-stream")

    async def _of_files(self, route: str, body: Mapping[str, Any]) -> Optional[Dict[str, Any]]:
        """What the relay answers by the line; ``None`` where it has to be asked over HTTP."""
        line = self._line_for(route)
        if line is None:
            return None
        try:
            answer = await line.ask(route, self._session_key, json.dumps(body).encode())
        except Disconnected:
            return None
        return dict(json.loads(answer.body)) if answer.status == 200 else None

    def control_headers(self) -> Dict[str, str]:
        """Headers of the control stream."""
        return {**headers(self._session_key), "Accept": "text/event-stream"}

    def connection(self) -> Connection:
        """One more connection to the relay, for the caller to close."""
        return Connection(self._loop, self.address(), self._assignment.relay_certificate)

    def address(self) -> Address:
        """Where the relay was last found, with the path of the runner's routes."""
        base = self._url if self._url.endswith("/") else self._url + "/"
        return parse_url(f"{base}{API_PATH}/runner/")

    def look_again(self) -> None:
        """Read where a restarted relay is now."""
        if not self._assignment.relay_file:
            return
        try:
            with open(self._assignment.relay_file, encoding="utf-8") as file:
                url = json.load(file)["url"]
            parse_url(url)
        except (OSError, ValueError, KeyError, TypeError):
            return
        self._url = url

    async def _ask(
        self,
        method: str,
        target: str,
        token: str,
        body: Union[bytes, FileBody] = b"",
        content_type: str = "",
        sink: Optional[Callable[[bytes], Any]] = None,
        before: Optional[Callable[[], None]] = None,
    ) -> Answer:
        while self._turn is not None:
            await self._turn
        turn = self._turn = Future()
        wait_s, waited_s = _BACKOFF_FIRST_S, 0.0
        try:
            while True:
                if before is not None:
                    before()
                problem: Exception
                try:
                    line = self._line_for(target)
                    if line is not None and isinstance(body, bytes) and line.takes(body):
                        answer = await line.ask(target, token, body)
                    else:
                        connection = self._connections.to(self.address(), self._assignment.relay_certificate)
                        answer = await connection.request(
                            method, target, headers(token, content_type), body, sink
                        )
                    if 200 <= answer.status < 300:
                        return answer
                    problem = _problem(answer)
                except Disconnected as error:
                    problem = error
                if not isinstance(problem, Disconnected) or waited_s > PATIENCE_S:
                    raise problem
                self._tell(problem)
                await self._loop.sleep(wait_s)
                waited_s += wait_s
                wait_s = min(wait_s * 2, _BACKOFF_LIMIT_S)
                self.look_again()
        finally:
            self._turn = None
            turn.set(None)

    def _tell(self, problem: Exception) -> None:
        """Say once for each reason why the relay does not answer."""
        reason = str(problem)
        if isinstance(problem, (Unreachable, NotTheRelay)) and reason not in self._told:
            self._told.add(reason)
            tell(f"cannot reach the relay at {self._url}: {reason}")

    def _line_for(self, target: str) -> Optional[Line]:
        line = self._connections.line
        return line if line is not None and self._assignment.by_line and line.may_take(target) else None


class _Download:
    """A file that is written from the start each time the request is repeated."""

    def __init__(self, path: str) -> None:
        with _told_as_unwritable():
            self._file = open(path, "wb", buffering=0)

    def restart(self) -> None:
        """Forget what has come so far."""
        self._file.seek(0)
        self._file.truncate()

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        with _told_as_unwritable():
            while data:
                data = data[self._file.write(data) or 0 :]

    def close(self) -> None:
        """That is all."""
        self._file.close()


@contextlib.contextmanager
def _told_as_unwritable() -> Iterator[None]:
    """Else it would look as if the connection had broken."""
    try:
        yield
    except OSError as error:
        raise Unwritable(error.strerror or str(error)) from error


def _problem(answer: Answer) -> Exception:
    """What an answer other than 2xx means."""
    try:
        message = str(json.loads(answer.body)["message"])
    except (ValueError, KeyError, TypeError):
        message = f"HTTP status {answer.status}"
    if answer.status == 409:
        return Fenced(message)
    if _VERSION_HEADER not in answer.headers and answer.status < 500:
        # Another server may have the relay's old port now.
        return NotTheRelay(f"what answers is not the relay: {message}")
    if answer.status in (401, 403, 404):
        return Fenced(message)
    if answer.status in (400, 413, 426, 507):
        return Refused(answer.status, message)
    return Disconnected(message)
