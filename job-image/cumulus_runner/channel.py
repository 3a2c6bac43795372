"""The relay as the runner sees it: where it is now, who we are to it, what it answers."""

from __future__ import annotations

import json
import os
import platform
import secrets
from typing import Any, Callable, Dict, Mapping, Optional, Union
from urllib.parse import quote

from cumulus_jupyter.protocol import API_PATH, PROTOCOL_HEADER, PROTOCOL_VERSION
from cumulus_jupyter.protocol.channel import BY_LINE, Assignment

from .http import Address, Answer, Connection, Disconnected, FileBody, file_body, parse_url
from .line import BODY_LIMIT_BYTES, Line
from .loop import Future, Loop

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


class Connections:
    """Kept between jobs, so that the next job need not connect anew."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self._connection: Optional[Connection] = None
        #: Set where there is one.
        self.line: Optional[Line] = None

    def to(self, address: Address) -> Connection:
        """A connection to that relay."""
        if self._connection is None or self._connection.address != address:
            self.close()
            self._connection = Connection(self.loop, address)
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

    def __init__(self, connections: Connections, assignment: Assignment) -> None:
        self._connections = connections
        self._loop = connections.loop
        self._assignment = assignment
        self._session_key = secrets.token_hex(32)
        self._url = assignment.url
        self._turn: Optional[Future[None]] = None

    async def claim(self) -> bytes:
        """Take the attempt. Returns the JSON of ``protocol.channel.Claimed``."""
        body = {
            "job_id": self._assignment.job_id,
            "attempt": self._assignment.attempt,
            "session_key": self._session_key,
            "python": ".".join(platform.python_version_tuple()[:2]),
            "host": platform.node(),
            "pid": os.getpid(),
        }
        answer = await self._ask(
            "POST", "claim", self._assignment.claim_token, json.dumps(body).encode(), "application/json"
        )
        return answer.body

    async def post(self, batch: bytes) -> Dict[str, Any]:
        """Post a batch. Returns the fields of ``protocol.channel.Acknowledged``."""
        answer = await self._ask("POST", "events", self._session_key, batch, "application/json")
        acknowledged: Dict[str, Any] = json.loads(answer.body)
        return acknowledged

    async def download(self, target: str, path: str) -> None:
        """Write what ``GET target`` answers to a file."""
        download = _Download(path)
        try:
            await self._ask(
                "GET", target, self._session_key, sink=download.file.write, before=download.restart
            )
        finally:
            download.file.close()

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
        target = "values/" + quote(name, safe="@")
        body = file_body(path)
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

    def headers(self, token: str, content_type: str = "") -> Dict[str, str]:
        """Headers of every request."""
        headers = {"Authorization": f"Bearer {token}", PROTOCOL_HEADER: str(PROTOCOL_VERSION)}
        if content_type:
            headers["Content-Type"] = content_type
        return headers

    def control_headers(self) -> Dict[str, str]:
        """Headers of the control stream."""
        headers = self.headers(self._session_key)
        headers["Accept"] = "text/event-stream"
        return headers

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
                    if line is not None and isinstance(body, bytes) and len(body) <= BODY_LIMIT_BYTES:
                        answer = await line.ask(target, token, body)
                    else:
                        connection = self._connections.to(self.address())
                        headers = self.headers(token, content_type)
                        answer = await connection.request(method, target, headers, body, sink)
                    if 200 <= answer.status < 300:
                        return answer
                    problem = _problem(answer)
                except Disconnected as error:
                    problem = error
                if not isinstance(problem, Disconnected) or waited_s > PATIENCE_S:
                    raise problem
                await self._loop.sleep(wait_s)
                waited_s += wait_s
                wait_s = min(wait_s * 2, _BACKOFF_LIMIT_S)
                self.look_again()
        finally:
            self._turn = None
            turn.set(None)

    def _line_for(self, target: str) -> Optional[Line]:
        line = self._connections.line
        if line is None or not line.open or not self._assignment.by_line or target not in BY_LINE:
            return None
        return line


class _Download:
    """A file that is written from the start each time the request is repeated."""

    def __init__(self, path: str) -> None:
        self.file = open(path, "wb")

    def restart(self) -> None:
        """Forget what has come so far."""
        self.file.seek(0)
        self.file.truncate()


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
        return Disconnected(f"what answers is not the relay: {message}")
    if answer.status in (401, 403, 404):
        return Fenced(message)
    if answer.status in (400, 413, 426, 507):
        return Refused(answer.status, message)
    return Disconnected(message)
