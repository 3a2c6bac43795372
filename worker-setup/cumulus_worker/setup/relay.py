"""The relay, asked by curl, which can pin its key. What is secret goes to curl by its standard input."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from cumulus_worker.setup.telling import Failed

_API = "cumulus/api/v1/enrolment"
_PIECE_BYTES = 1 << 20
_REASONS = {
    6: "its name is not known here",
    7: "it does not answer",
    28: "it does not answer in time",
    90: "its key is another one than when this host was enrolled",
}


class Relay:
    """The enrolment's routes of the relay that this host was enrolled at."""

    def __init__(self, kept: Mapping[str, Any]) -> None:
        self._url = str(kept["relay"]).rstrip("/")
        self._pin = str(kept.get("pin", ""))
        self._key = str(kept["session_key"])

    def post(self, path: str, body: Mapping[str, Any], timeout_s: float = 120.0) -> dict[str, Any]:
        """The answer to a POST. Raises ``Failed`` with the relay's own words where it refuses."""
        with tempfile.NamedTemporaryFile() as sent:
            sent.write(json.dumps(body).encode())
            sent.flush()
            lines = [
                'header = "Content-Type: application/json"',
                f'data-binary = "@{sent.name}"',
                f"max-time = {timeout_s:.0f}",
                r'write-out = "\n%{http_code}"',
            ]
            done = subprocess.run(
                ["curl", "--config", "-"],
                input=self._config(path, *lines),
                capture_output=True,
                text=True,
                timeout=timeout_s + 10,
                check=False,
            )
        if done.returncode:
            raise self._away(done.returncode, done.stderr)
        text, _, status = done.stdout.rpartition("\n")
        return _checked(int(status), text)

    @contextlib.contextmanager
    def image(self, name: str) -> Iterator[Iterator[bytes]]:
        """What ``docker save`` gives of an image on the relay's side, piece by piece."""
        with subprocess.Popen(
            ["curl", "--config", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as curl:
            assert curl.stdin is not None and curl.stdout is not None
            curl.stdin.write(self._config(f"images/{quote(name, safe='')}", "fail-with-body").encode())
            curl.stdin.close()
            with curl.stdout:
                yield self._pieces(curl)

    def _pieces(self, curl: subprocess.Popen[bytes]) -> Iterator[bytes]:
        """What it fetches. Its failure is told before whoever reads takes that for the end."""
        assert curl.stdout is not None and curl.stderr is not None
        while piece := curl.stdout.read(_PIECE_BYTES):
            yield piece
        said = curl.stderr.read().decode(errors="replace")
        if status := curl.wait():
            raise self._away(status, said)

    def _config(self, path: str, *more: str) -> str:
        lines = [
            f'url = "{self._url}/{_API}/{path}"',
            f'header = "Authorization: Bearer {self._key}"',
            "silent",
            "show-error",
            "connect-timeout = 10",
            *(["insecure", f'pinnedpubkey = "{self._pin}"'] if self._pin else []),
            *more,
        ]
        return "\n".join(lines) + "\n"

    def _away(self, status: int, said: str) -> Failed:
        reason = _REASONS.get(status) or said.strip() or f"curl ends with {status}"
        return Failed(
            f"The relay at {self._url} cannot be asked: {reason}",
            next="See that it runs and that this host may reach it, then run the same line again.",
        )


def _checked(status: int, text: str) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except ValueError:
        answer = {}
    if status >= 400 or not isinstance(answer, dict):
        message = answer.get("message") if isinstance(answer, dict) else ""
        next_step = answer.get("next") if isinstance(answer, dict) else ""
        raise Failed(
            f"The relay refuses: {message or f'it answers with status {status}'}",
            next=next_step or "See the relay's log, then run the same line again.",
        )
    return answer
