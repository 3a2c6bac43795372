"""A relay that is slow, away, moved or forgetful: no event is lost and none comes twice."""

from __future__ import annotations

import json
import os
import resource
import socket
import threading
import time
from pathlib import Path

import pytest

from cumulus_jupyter.protocol import PROTOCOL_HEADER
from cumulus_runner.address import parse_url
from cumulus_runner.http import Connection, FileBody
from cumulus_runner.loop import Loop, spawn
from tests.fakes.runner_relay import FakeJob, FakeRelay
from tests.fakes.served_runner import ServedRunner, result_values
from tests.homes import wait_for
from tests.patience import LIMIT_S

COUNTING = "import time\nfor n in range(60):\n    print(n)\n    time.sleep(0.01)\nlast = n"
COUNTED = "".join(f"{n}\n" for n in range(60))


@pytest.fixture
def relay() -> FakeRelay:
    return FakeRelay()


def test_away_for_a_while_and_elsewhere_after(relay: FakeRelay, tmp_path: Path) -> None:
    relay_file = tmp_path / "relay.json"
    runner = ServedRunner(relay, tmp_path)
    job = runner.assign(FakeJob({"source": COUNTING}), relay_file=str(relay_file))
    job.wait_for_text("5\n")
    relay.stop()
    second = FakeRelay()
    second.add(job)
    relay_file.write_text(json.dumps({"url": second.url, "token": "not for runners"}))
    job.wait_for_end()
    assert job.text("stdout") == COUNTED and result_values(job)["last"] == 59
    assert runner.read()["done"] == job.id
    second.stop()
    runner.close()


def test_away_when_the_job_ends(relay: FakeRelay, tmp_path: Path) -> None:
    runner = ServedRunner(relay, tmp_path)
    port = relay.port
    ended = tmp_path / "ended"
    job = runner.assign(FakeJob({"source": f"{COUNTING}\nopen({str(ended)!r}, 'w').close()"}))
    job.wait_for_text("3\n")
    relay.stop()
    assert wait_for(ended.exists, LIMIT_S)
    again = FakeRelay(port)
    again.add(job)
    job.wait_for_end()
    assert job.text("stdout") == COUNTED
    assert runner.read()["done"] == job.id
    again.stop()
    runner.close()


def test_lost_answers(relay: FakeRelay, tmp_path: Path) -> None:
    """Every second request is handled, and its answer lost."""
    count = 0

    def lose(method: str, route: str, job: FakeJob | None) -> str | None:
        nonlocal count
        if route == "control":
            return None
        count += 1
        return "lose" if count % 2 else None

    relay.before = lose
    runner = ServedRunner(relay, tmp_path)
    job = runner.run(COUNTING)
    assert job.claims == 2
    assert job.text("stdout") == COUNTED and len(job.of_type("result")) == 1
    relay.stop()
    runner.close()


@pytest.mark.parametrize("trouble", ["drop", 500, 503])
def test_trouble_at_every_second_request(relay: FakeRelay, tmp_path: Path, trouble: int | str) -> None:
    count = 0

    def before(method: str, route: str, job: FakeJob | None) -> int | str | None:
        nonlocal count
        count += route != "control"
        return trouble if count % 2 and route != "control" else None

    relay.before = before
    runner = ServedRunner(relay, tmp_path)
    job = runner.run("x = b'x' * 1_000_000\nprint('done')")
    assert job.text("stdout") == "done\n" and "@outputs" in job.values
    relay.stop()
    runner.close()


def test_value_the_relay_does_not_take(relay: FakeRelay, tmp_path: Path) -> None:
    relay.before = lambda method, route, job: 413 if method == "PUT" else None
    runner = ServedRunner(relay, tmp_path)
    job = runner.run("x = b'x' * 1_000_000")
    assert job.outcome is not None and job.outcome["error"]["code"] == "PAYLOAD_TOO_LARGE"
    assert len(job.of_type("result")) == 1
    relay.stop()
    runner.close()


def test_a_relay_that_refuses_and_hangs_up_before_all_is_there(tmp_path: Path) -> None:
    """What it said is read, and not taken for a connection that broke."""
    refusing = socket.create_server(("127.0.0.1", 0))
    said = b'{"code":"PAYLOAD_TOO_LARGE","message":"too much"}'
    head = f"HTTP/1.1 413 X\r\n{PROTOCOL_HEADER}: 1\r\nContent-Length: {len(said)}\r\n\r\n".encode()
    asked = []

    def refuse() -> None:
        connection, _ = refusing.accept()
        with connection:
            asked.append(connection.recv(65536))
            connection.sendall(head + said)

    thread = threading.Thread(target=refuse, daemon=True)
    thread.start()
    path = tmp_path / "large"
    path.write_bytes(bytes(20_000_000))
    loop = Loop()
    address = parse_url("http://{}:{}/".format(*refusing.getsockname()))
    connection = Connection(loop, address)
    answered = spawn(connection.request("PUT", "values/x", {}, FileBody(str(path))))
    answered.then(loop.stop)
    loop.after(LIMIT_S, loop.stop)
    loop.run()
    answer = answered.result()
    assert (answer.status, answer.body) == (413, said) and asked[0].startswith(b"PUT")
    thread.join(LIMIT_S)
    connection.close()
    loop.close()
    refusing.close()


def test_no_room_for_what_the_relay_sends(relay: FakeRelay, tmp_path: Path) -> None:
    """The job ends and says so; it does not ask for the same again and again."""
    asked: list[str] = []
    relay.before = lambda method, route, job: asked.append(route)
    runner = ServedRunner(relay, tmp_path)
    resource.prlimit(runner.pid, resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
    job = runner.run("print('never')", bundle=os.urandom(3_000_000))
    assert job.outcome is not None and job.outcome["error"]["code"] == "RESOURCE_EXHAUSTED"
    assert "no room" in job.outcome["message"] and asked.count("bundle") == 1 and not job.of_type("log")
    relay.stop()
    runner.close()


def test_much_output_while_away_is_held_back(relay: FakeRelay, tmp_path: Path) -> None:
    """More than the runner holds: the job waits, and nothing is lost."""
    port = relay.port
    runner = ServedRunner(relay, tmp_path)
    job = runner.assign(
        FakeJob({"source": "print('on', flush=True)\nfor n in range(150): print(str(n % 10) * 1_000_000)"})
    )
    job.wait_for_text("on\n")
    relay.stop()
    time.sleep(0.5)
    again = FakeRelay(port)
    again.add(job)
    job.wait_for_end()
    text = job.text("stdout")
    assert len(text) == 3 + 150 * 1_000_001
    assert [line[0] for line in text.splitlines()[1:]] == [str(n % 10) for n in range(150)]
    assert runner.read()["done"] == job.id
    again.stop()
    runner.close()
