"""The daemon and its command line as processes: killed, started again, and asked by many at once."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from cumulus_worker.client import Client
from tests.homes import wait_for
from tests.patience import LIMIT_S

from .daemons import Daemon


def test_a_booking_outlives_the_call_that_made_it(daemon: Daemon) -> None:
    created = daemon.cli("create", "0", "0.7", "60")
    assert created.returncode == 0 and created.stdout.startswith("[OK] Created partition partition_")
    partition = created.stdout.split()[3]
    assert partition in daemon.cli("list").stdout
    assert daemon.cli("available", "0").stdout == "30.0%\n"
    refused = daemon.cli("create", "0", "0.4", "60")
    assert refused.returncode == 1 and refused.stdout == ""
    assert refused.stderr.startswith("[ERROR] Device 0 has 0.3 left, not 0.4\n")
    assert daemon.cli("release", partition).stdout == f"[OK] Released partition {partition}\n"
    gone = daemon.cli("release", partition)
    assert gone.returncode == 1
    assert gone.stderr.startswith(f"[ERROR] Partition not found or already released: {partition}\n")


def test_words_that_are_none(daemon: Daemon) -> None:
    for words in ((), ("destroy",), ("create", "0")):
        refused = daemon.cli(*words)
        assert refused.returncode == 1 and "Usage:" in refused.stdout and refused.stderr.startswith("[ERROR]")
    assert daemon.cli("help").returncode == 0
    assert daemon.ask("create 0 0.25 60")["error"]["code"] == "INVALID"


def test_whoever_has_read_enough_is_not_complained_to(daemon: Daemon) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as nobody:
        command = [sys.executable, "-m", "cumulus_worker.chronos_cli", "stats"]
        listed = subprocess.run(
            command,
            env=daemon.environment,
            stdout=nobody,
            stderr=subprocess.PIPE,
            check=False,
            timeout=LIMIT_S,
        )
    assert (listed.returncode, listed.stderr) == (1, b"")


def test_killed_and_started_again(daemon: Daemon) -> None:
    before = daemon.ask("create 0 0.5 600 --owner relay --key job-1")
    daemon.kill()
    away = daemon.cli("list", "--json")
    assert away.returncode == 1 and json.loads(away.stdout)["error"]["code"] == "UNAVAILABLE"
    daemon.start()
    [after] = daemon.ask("list")["partitions"]
    assert after.pop("remaining_s") <= before.pop("remaining_s") <= 600
    assert after == before
    assert daemon.ask("create 0 0.6 60")["error"]["code"] == "REFUSED"
    assert daemon.ask("create 0 0.5 600 --owner relay --key job-1")["partition"] == before["partition"]
    other = daemon.ask("create 1 0.1 60")["partition"]
    assert other.rpartition("_")[2] == "0002"


def test_the_end_by_a_signal_is_clean(daemon: Daemon) -> None:
    daemon.ask("create 0 0.5 600")
    assert daemon.stop() == 0
    assert not daemon.socket.exists()
    daemon.start()
    assert len(daemon.ask("list")["partitions"]) == 1


def test_a_booking_ends_by_itself(daemon: Daemon) -> None:
    partition = daemon.ask("create 0 1.0 1")["partition"]
    # Nothing has to be asked for a time to be over: whoever only watches the ledger sees it.
    assert wait_for(lambda: partition not in daemon.ledger.read_text(), LIMIT_S)
    assert daemon.ask("release " + partition)["error"]["code"] == "NOT_FOUND"


def test_many_at_once_never_get_more_than_there_is(daemon: Daemon) -> None:
    with ThreadPoolExecutor(4) as calls:
        answers = list(calls.map(daemon.ask, ["create 0 0.1 60"] * 14))
    booked = [answer["partition"] for answer in answers if "partition" in answer]
    assert len(booked) == len(set(booked)) == 10
    assert {answer["error"]["code"] for answer in answers if "error" in answer} == {"REFUSED"}


def test_two_with_the_same_key_get_the_same_partition(daemon: Daemon) -> None:
    with ThreadPoolExecutor(4) as calls:
        answers = list(calls.map(daemon.ask, ["create 0 0.4 60 --owner relay --key job-1"] * 6))
    assert len({answer["partition"] for answer in answers}) == 1
    assert daemon.ask("available 0") == {"device": 0, "fraction": 0.6}


def test_only_its_group_may_use_the_socket(daemon: Daemon) -> None:
    daemon.ask("create 0 0.5 60")
    told = daemon.socket.stat()
    assert stat.S_IMODE(told.st_mode) == 0o660 and told.st_gid == os.getgid()
    assert stat.S_IMODE(daemon.socket.parent.stat().st_mode) == 0o755
    assert stat.S_IMODE(daemon.ledger.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(daemon.ledger.stat().st_mode) == 0o600


def test_a_second_daemon_does_not_start(daemon: Daemon) -> None:
    daemon.ask("create 0 0.5 60")
    second = daemon.spawn()
    assert second.wait(LIMIT_S) == 1
    assert f"another chronosd has the ledger {daemon.ledger}" in daemon.log.read_text()
    assert len(daemon.ask("list")["partitions"]) == 1


def test_wrong_devices_end_the_start(daemon: Daemon) -> None:
    daemon.stop()
    daemon.environment["CUMULUS_CHRONOS_DEVICES"] = "{"
    assert daemon.spawn().wait(LIMIT_S) == 1
    assert "CUMULUS_CHRONOS_DEVICES: not a JSON list of devices" in daemon.log.read_text()


def test_a_ledger_that_cannot_be_read_is_told(daemon: Daemon) -> None:
    daemon.ask("create 0 0.5 600")
    daemon.kill()
    daemon.ledger.write_bytes(daemon.ledger.read_bytes()[:-40])
    daemon.start()
    assert daemon.ask("list")["partitions"] == []
    [aside] = daemon.ledger.parent.glob("ledger.json.unreadable-*")
    assert f"kept as {aside}" in daemon.ask("stats")["warning"]
    assert f"kept as {aside}" in daemon.log.read_text()
    assert daemon.ask("create 0 1.0 60")["partition"].endswith("_0002")


def test_a_full_disk_books_nothing_and_loses_nothing(daemon: Daemon) -> None:
    assert daemon.process is not None
    kept = daemon.ask("create 0 0.5 600")["partition"]
    before = resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    refused = daemon.ask("create 0 0.2 600")["error"]
    assert refused["code"] == "UNAVAILABLE" and "cannot be written" in refused["message"]
    assert daemon.ask("available 0")["fraction"] == 0.5
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, before)
    assert daemon.ask("create 0 0.2 600")["fraction"] == 0.2
    daemon.kill()
    daemon.start()
    assert daemon.ask("list")["partitions"][0]["partition"] == kept


def test_what_is_no_command_line_is_answered_or_hung_up_on(daemon: Daemon) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(daemon.socket))
        connection.sendall(b'\x00\xff\n[]\n{"argv": 7}\n{"argv": [7]}\n' + b"[" * 50_000 + b"\n")
        lines = connection.makefile("rb")
        for _ in range(5):
            assert json.loads(lines.readline())["answer"]["error"]["code"] == "INVALID"
        connection.sendall(b"x" * 100_000)
        assert lines.readline() == b""
    assert daemon.ask("list")["partitions"] == []


def test_a_daemon_that_hangs_is_told(daemon: Daemon) -> None:
    assert daemon.process is not None
    client, hasty = Client(str(daemon.socket), LIMIT_S), Client(str(daemon.socket), timeout_s=0.2)
    assert client.ask(["list"])["exit"] == 0
    daemon.process.send_signal(signal.SIGSTOP)
    error = hasty.ask(["list"])["answer"]["error"]
    hasty.close()
    assert error["code"] == "UNAVAILABLE" and "ended or hangs" in error["message"]
    daemon.process.send_signal(signal.SIGCONT)
    assert client.ask(["list"])["exit"] == 0
    client.close()


def test_connections_that_nobody_closes_leave_the_ledger_its_files(daemon: Daemon) -> None:
    clients = [Client(str(daemon.socket), LIMIT_S) for _ in range(201)]
    told = [client.ask(["list"]) for client in clients]
    assert {each["exit"] for each in told[:200]} == {0}
    assert "takes no more" in told[200]["answer"]["error"]["message"]
    assert clients[0].ask(["create", "0", "0.5", "60"])["exit"] == 0
    clients[1].close()
    assert wait_for(lambda: clients[200].ask(["list"])["exit"] == 0, LIMIT_S)
    for client in clients:
        client.close()


def test_whoever_hangs_up_in_between_harms_nobody(daemon: Daemon) -> None:
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(daemon.socket))
            connection.sendall(b'{"argv": ["list"]}\n{"argv": ["create", "0"')
    assert daemon.ask("list")["partitions"] == []
