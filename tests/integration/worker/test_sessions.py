"""Many command lines over one open channel, whatever becomes of the daemon and of whoever asks."""

from __future__ import annotations

import io
import json
import os
import random
import threading
from typing import Any

from cumulus_worker import __version__
from cumulus_worker import session as sessions
from cumulus_worker.client import Client
from tests.patience import LIMIT_S

from .daemons import Daemon

ROUNDS = 6


class Session:
    """A ``chronos_cli session`` that is spoken with."""

    def __init__(self, daemon: Daemon) -> None:
        self.process = daemon.open_cli("session")
        self.greeting = self.line()
        self.asked = 0

    def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def say(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def ask(self, line: str) -> dict[str, Any]:
        self.asked += 1
        self.say(json.dumps({"id": self.asked, "argv": line.split()}))
        told = self.line()
        assert told["id"] == self.asked and told["exit"] == int("error" in told["answer"])
        answer: dict[str, Any] = told["answer"]
        return answer

    def end(self) -> None:
        out, err = self.process.communicate(timeout=LIMIT_S)
        assert (self.process.returncode, out, err) == (0, "", "")


def test_a_session(daemon: Daemon) -> None:
    session = Session(daemon)
    assert session.greeting == {"chronos": "cumulus", "version": __version__, "backend": "ledger"}
    created = session.ask("create 0 0.5 60 --owner relay --key job-1")
    assert created["fraction"] == 0.5 and created["uuid"] == "GPU-a"
    assert session.ask("list --owner relay --json")["partitions"][0]["key"] == "job-1"
    assert session.ask("create 0 0.6 60")["error"]["code"] == "REFUSED"
    assert session.ask("nonsense")["error"]["code"] == "INVALID"
    assert session.ask(f"release {created['partition']}")["released"]
    for broken in ("x", "[]", '{"id": 7}', '{"id": 7, "argv": "list"}', '{"id": 7, "argv": [1]}'):
        session.say(broken)
        told = session.line()
        assert told["exit"] == 1 and told["answer"]["error"]["code"] == "INVALID"
    assert session.ask("available 0")["fraction"] == 1.0
    session.end()


def test_a_session_outlives_the_daemon(daemon: Daemon) -> None:
    session = Session(daemon)
    before = session.ask("create 0 0.5 60")
    daemon.kill()
    assert session.ask("list")["error"]["code"] == "UNAVAILABLE"
    daemon.start()
    assert session.ask("list")["partitions"][0]["partition"] == before["partition"]
    daemon.kill()
    daemon.start()
    assert session.ask("create 0 0.5 60")["device"] == 0
    session.end()


def test_a_session_begins_without_the_daemon(daemon: Daemon) -> None:
    daemon.stop()
    session = Session(daemon)
    assert session.greeting["backend"] == "" and session.greeting["error"]["code"] == "UNAVAILABLE"
    daemon.start()
    assert session.ask("list") == {"partitions": [], "backend": "ledger"}
    session.end()


def test_a_session_that_nobody_uses_ends(daemon: Daemon) -> None:
    unread, kept_open = os.pipe()
    answers = io.BytesIO()
    with open(unread, "rb") as questions, open(kept_open, "wb"):
        assert sessions.run(Client(str(daemon.socket)), questions, answers, idle_s=0.05) == 0
    assert len(answers.getvalue().splitlines()) == 1


def test_a_line_without_an_end_is_not_waited_for(daemon: Daemon) -> None:
    session = Session(daemon)
    session.say("x" * 70_000)
    assert session.line()["answer"]["error"]["code"] == "INVALID"
    session.end()


def test_what_was_answered_stands_whenever_the_daemon_is_killed(daemon: Daemon) -> None:
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    accepted: dict[str, int] = {}
    ended = threading.Event()

    def book() -> None:
        client = Client(str(daemon.socket))
        number = 0
        while not ended.is_set():
            number += 1
            key = f"job-{number}"
            told = client.ask(["create", str(number % 2), "0.1", "600", "--owner", "relay", "--key", key])
            if "partition" in told["answer"]:
                accepted[told["answer"]["partition"]] = number % 2
            elif told["answer"]["error"]["code"] == "UNAVAILABLE":
                ended.wait(0.02)
            # One is given back now and then, so that there is always something to book.
            if len(accepted) > 12:
                name = next(iter(accepted))
                told = client.ask(["release", name])
                if told["exit"] == 0 or told["answer"]["error"]["code"] == "NOT_FOUND":
                    del accepted[name]
        client.close()

    asking = threading.Thread(target=book)
    asking.start()
    try:
        for _ in range(ROUNDS):
            ended.wait(chance.uniform(0.0, 0.3))
            daemon.kill()
            daemon.start()
    finally:
        ended.set()
        asking.join()
    there = daemon.ask("list")["partitions"]
    assert set(accepted) <= {entry["partition"] for entry in there}, seed
    for device in (0, 1):
        assert round(10 * sum(entry["fraction"] for entry in there if entry["device"] == device)) <= 10, seed
