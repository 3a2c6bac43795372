"""Many command lines over one open channel: a JSON line asks, a JSON line answers. Ends with its input."""

from __future__ import annotations

import json
import signal
from typing import Any, BinaryIO

from cumulus_worker import __version__
from cumulus_worker.client import Client
from cumulus_worker.words import LONGEST_LINE_BYTES, invalid

#: A relay asks every minute. One that was cut off may leave a channel behind that never ends by itself.
_IDLE_S = 3600.0


class _Forsaken(Exception):
    """Nobody has asked anything for so long that nobody is there."""


def run(client: Client, questions: BinaryIO, answers: BinaryIO, *, idle_s: float = _IDLE_S) -> int:
    """Greet, then answer until the input ends; the exit status."""
    signal.signal(signal.SIGALRM, _forsaken)
    try:
        _say(answers, _greeting(client))
        while line := _next(questions, idle_s):
            if line.strip():
                _say(answers, _answered(client, line))
            if len(line) > LONGEST_LINE_BYTES:
                break
    except (BrokenPipeError, KeyboardInterrupt, _Forsaken):
        # Whoever asked is gone; what was booked stays.
        pass
    finally:
        client.close()
    return 0


def _next(questions: BinaryIO, idle_s: float) -> bytes:
    signal.setitimer(signal.ITIMER_REAL, idle_s)
    try:
        return questions.readline(LONGEST_LINE_BYTES + 1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _forsaken(number: int, frame: object) -> None:
    raise _Forsaken


def _greeting(client: Client) -> dict[str, Any]:
    told = client.ask(["version"])["answer"]
    return {"chronos": "cumulus", "version": __version__, "backend": "", **told}


def _answered(client: Client, line: bytes) -> dict[str, Any]:
    number = None
    try:
        question = json.loads(line)
        number = question.get("id")
        argv = question["argv"]
        if not (isinstance(argv, list) and all(isinstance(word, str) for word in argv)):
            raise TypeError("argv is not a list of strings")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        wrong = invalid(f"This is no question: {error}", 'Ask like {"id":1,"argv":["list"]}')
        return {"id": number, "exit": 1, "answer": wrong.answer()}
    return {"id": number, **client.ask([word for word in argv if word != "--json"])}


def _say(answers: BinaryIO, what: dict[str, Any]) -> None:
    answers.write(json.dumps(what).encode() + b"\n")
    answers.flush()
