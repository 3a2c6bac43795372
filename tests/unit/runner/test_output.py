"""The supervisor's reading of a child, when the child is gone before all of it has been read."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from typing import Any

from cumulus_runner.child import Child
from cumulus_runner.frames import MARK, STDOUT, message_parts
from cumulus_runner.loop import Loop
from cumulus_runner.outbox import Outbox
from cumulus_runner.output import Output
from cumulus_runner.streams import NOTE_KIND


def test_an_end_that_was_told_just_before_the_process_ended_is_not_missed() -> None:
    loop, outbox = Loop(), Outbox()
    pipes = [os.pipe() for _ in range(3)]
    for reading, _ in pipes:
        os.set_blocking(reading, False)
    ours, theirs = socket.socketpair()
    child = Child(os.getpid(), ours, *(reading for reading, _ in pipes))
    notes: list[Mapping[str, Any]] = []
    output = Output(loop, child, outbox, notes.append, lambda: None)
    end = {"note": "end", "status": 0}
    said = MARK + STDOUT + b"last words\n" + b"".join(message_parts(NOTE_KIND + json.dumps(end).encode(), 7))
    os.write(pipes[0][1], said)
    for _, writing in pipes:
        os.close(writing)
    output.drain_to_end()
    assert notes == [end]
    output.drain_to_end()
    assert notes == [end]
    child.close()
    theirs.close()
    loop.close()
