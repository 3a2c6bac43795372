"""Requests by a runner's own socket: what the relay answers, and what a runner does without it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping
from typing import Any

from cumulus_runner.http import Answer, Disconnected
from cumulus_runner.line import Line as RunnerLine
from cumulus_runner.loop import Future, Loop, spawn
from cumulus_server.executors.process.line import Line


async def test_messages_with_and_without_a_body_in_any_pieces() -> None:
    ours, theirs = socket.socketpair()
    heard: list[tuple[Mapping[str, Any], bytes]] = []
    line = Line(ours, lambda message, body: heard.append((message, body)))
    sent = b'{"ready":1}\n{"ask":1,"bytes":5}\na\nb\nc{"done":"j"}\n'
    for at in range(0, len(sent), 7):
        theirs.sendall(sent[at : at + 7])
        await asyncio.sleep(0)
        line.read()
    assert heard == [({"ready": 1}, b""), ({"ask": 1, "bytes": 5}, b"a\nb\nc"), ({"done": "j"}, b"")]
    theirs.close()
    line.read()
    assert line.closed


async def test_an_answer_larger_than_the_sockets_buffer_arrives_whole() -> None:
    ours, theirs = socket.socketpair()
    line = Line(ours, lambda message, body: None)
    body = bytes(range(256)) * 8192
    line.send({"answer": 1}, body)
    assert line.stuck
    reading = await asyncio.open_connection(sock=theirs)
    assert json.loads(await reading[0].readline()) == {"answer": 1, "bytes": len(body)}
    assert await reading[0].readexactly(len(body)) == body
    assert not line.stuck
    line.close()
    reading[1].close()


async def test_what_cannot_be_understood_ends_the_line() -> None:
    for wrong in (b"nonsense\n", b"[]\n", b'{"bytes":"x"}\n'):
        ours, theirs = socket.socketpair()
        line = Line(ours, lambda message, body: None)
        theirs.sendall(wrong)
        line.read()
        assert line.closed
        theirs.close()


def ask(loop: Loop, line: RunnerLine) -> Future[Answer]:
    """Ask for something; the loop stops when it is answered."""
    asked = spawn(line.ask("events", "key", b"{}"))
    asked.then(loop.stop)
    return asked


def test_a_runner_is_answered_and_told_of_the_end() -> None:
    ours, theirs = socket.socketpair()
    loop, heard, ends = Loop(), [], []
    line = RunnerLine(theirs.detach(), loop, heard.append, lambda: ends.append(True))
    line.listen()
    asked = ask(loop, line)
    assert ours.recv(1000) == b'{"ask": 1, "route": "events", "token": "key", "bytes": 2}\n{}'
    ours.sendall(b'{"job_id":"j"}\n{"answer":7,"status":200,"headers":{}}\n')
    ours.sendall(b'{"answer":1,"status":409,"headers":{"a":"b"},"bytes":3}\nno!')
    loop.run()
    answer = asked._value
    assert answer is not None
    assert (answer.status, answer.headers, answer.body) == (409, {"a": "b"}, b"no!")
    assert heard == [{"job_id": "j"}]
    asked = ask(loop, line)
    ours.close()
    loop.run()
    assert ends == [True] and not line.open
    assert isinstance(asked._error, Disconnected)
    assert isinstance(spawn(line.ask("events", "key", b"{}"))._error, Disconnected)
    loop.close()
