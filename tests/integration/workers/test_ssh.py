"""The relay's way to its workers, against SSH servers that are right, wrong, silent, or gone."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from cumulus_jupyter.protocol.errors import InvalidArgument
from cumulus_server.config import RelayConfig
from cumulus_server.partitions.base import BookingRequest
from cumulus_server.partitions.chronos import ChronosPartition
from cumulus_server.partitions.remote import Unreachable
from cumulus_server.scheduling.model import Device, Share
from cumulus_server.workers.command_line import CommandLine
from cumulus_server.workers.remotes import Remotes
from cumulus_server.workers.ssh import Host, ensure_key, probe
from tests.patience import LIMIT_S


class Server:
    """An SSH server in this process, with a ``chronos_cli`` of either kind."""

    def __init__(self, folder: Path) -> None:
        self.key, public = ensure_key(RelayConfig(state_dir=folder))
        self._allowed = asyncssh.import_authorized_keys(public)
        self._host_key = asyncssh.generate_private_key("ssh-ed25519")
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self.host = Host("127.0.0.1")
        #: Whether its command line has sessions; whether it answers at all.
        self.sessions, self.answers = True, True
        self.commands: list[str] = []
        self.connections: list[asyncssh.SSHServerConnection] = []

    async def start(self) -> None:
        noted = self.connections

        class Noting(asyncssh.SSHServer):
            def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
                noted.append(conn)

        self._acceptor = await asyncssh.listen(
            "127.0.0.1",
            self.host.port if self.host.host_key else 0,
            server_factory=Noting,
            server_host_keys=[self._host_key],
            authorized_client_keys=self._allowed,
            process_factory=self._serve,
        )
        public = self._host_key.export_public_key().decode().strip()
        self.host = Host("127.0.0.1", self._acceptor.get_port(), "cumulus", public)

    async def stop(self) -> None:
        assert self._acceptor is not None
        self._acceptor.close()
        for connection in self.connections:
            connection.abort()
        self.connections.clear()
        await self._acceptor.wait_closed()

    async def _serve(self, process: asyncssh.SSHServerProcess[str]) -> None:
        command = process.command or ""
        self.commands.append(command)
        if command == "probe":
            process.stdout.write(json.dumps({"version": 1, "hostname": "w"}))
        elif command == "chronos_cli session":
            if self.sessions:
                await self._session(process)
            process.stderr.write("Invalid command: session\n")
            process.exit(1)
        elif command.startswith("chronos_cli create"):
            process.stdout.write("\x1b[32mCreated partition\x1b[0m partition_644_1795298200394_0001\n")
        process.exit(0)

    async def _session(self, process: asyncssh.SSHServerProcess[str]) -> None:
        process.stdout.write(json.dumps({"chronos": "cumulus", "version": "1", "backend": "ledger"}) + "\n")
        async for line in process.stdin:
            asked = json.loads(line)
            self.commands.append(" ".join(asked["argv"]))
            if self.answers:
                process.stdout.write(json.dumps({"id": asked["id"], "exit": 0, "answer": asked}) + "\n")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    made = Server(tmp_path)
    await made.start()
    yield made
    await made.stop()


def line(server: Server, *, timeout_s: float = LIMIT_S, **other: Any) -> CommandLine:
    return CommandLine(replace(server.host, **other), server.key, timeout_s, lambda: None)


async def test_many_commands_go_by_one_session(server: Server) -> None:
    there = line(server)
    answers = await asyncio.gather(*(there.run(["list"], ["--owner", str(at)]) for at in range(20)))
    assert [answer.body["argv"][-1] for answer in answers if answer.body] == [str(at) for at in range(20)]
    assert server.commands.count("chronos_cli session") == 1 and len(server.connections) == 1
    there.close()


async def test_another_host_key_is_refused(server: Server) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    with pytest.raises(Unreachable, match="not the one that it was added with") as raised:
        await line(server, host_key=other).run(["list"])
    assert raised.value.next and not server.commands


async def test_a_host_that_does_not_know_the_relays_key_says_so(server: Server, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    server.key, _ = ensure_key(RelayConfig(state_dir=tmp_path / "other"))
    with pytest.raises(Unreachable, match="does not accept the relay's key for the user cumulus"):
        await line(server).run(["list"])


async def test_nothing_that_listens_is_told(server: Server) -> None:
    await server.stop()
    with pytest.raises(Unreachable, match="cannot be reached") as raised:
        await line(server).run(["list"])
    assert "sshd" in raised.value.next
    await server.start()


async def test_a_host_that_says_nothing_is_waited_for_once_by_all(tmp_path: Path) -> None:
    tries = 0

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        await reader.read()
        writer.close()

    listening = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    key, public = ensure_key(RelayConfig(state_dir=tmp_path))
    there = CommandLine(Host("127.0.0.1", port, "x", public), key, 0.3, lambda: None)
    failed = await asyncio.gather(*(there.run(["list"]) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(each, Unreachable) and "0.3 s" in each.message for each in failed)
    assert tries == 1
    listening.close()
    await listening.wait_closed()


async def test_a_daemon_that_hangs_is_told_and_asked_anew(server: Server) -> None:
    there = line(server)
    await there.run(["list"])
    server.answers, there._timeout_s = False, 0.5
    with pytest.raises(Unreachable, match="did not answer within 0.5 s"):
        await there.run(["list"])
    server.answers, there._timeout_s = True, LIMIT_S
    assert (await there.run(["list"])).exit == 0
    there.close()


async def test_a_lost_connection_is_told_and_opened_again(server: Server) -> None:
    lost = asyncio.Event()
    remotes = Remotes(lambda: server.key, LIMIT_S)
    remotes.on_lost = lambda node: lost.set()
    remotes.know({"n": server.host})
    await remotes.run("n", ["list"])
    for connection in server.connections:
        connection.abort()
    async with asyncio.timeout(LIMIT_S):
        await lost.wait()
    assert (await remotes.run("n", ["list"])).exit == 0
    with pytest.raises(Unreachable, match="not added"):
        await remotes.run("other", ["list"])
    remotes.close()


async def test_a_command_line_without_sessions_is_upstreams(server: Server) -> None:
    server.sessions = False
    remotes = Remotes(lambda: server.key, LIMIT_S)
    remotes.know({"n": server.host})
    partition = ChronosPartition(remotes, "relay")
    request = BookingRequest("j", 1, "w", [Share("g", 5)], [Device("g", index=2)], 600, "n")
    booking = await partition.create(request)
    assert booking["shares"][0]["id"] == "partition_644_1795298200394_0001"
    assert server.commands[-1] == "chronos_cli create 2 0.5 900"
    assert await partition.list("n") is None
    await partition.release("n", "j", 1, booking)
    assert server.commands[-1] == "chronos_cli release partition_644_1795298200394_0001"
    remotes.close()


async def test_a_host_is_probed(server: Server) -> None:
    assert await probe(server.host, server.key, LIMIT_S) == {"version": 1, "hostname": "w"}


def test_the_relays_key_is_made_once_and_for_its_user_alone(tmp_path: Path) -> None:
    config = RelayConfig(state_dir=tmp_path)
    file, public = ensure_key(config)
    assert ensure_key(config) == (file, public) and public.startswith("ssh-ed25519 ")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert ensure_key(RelayConfig(state_dir=tmp_path / "x", ssh_key=str(file))) == (file, public)


def test_a_key_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("no key")
    with pytest.raises(InvalidArgument, match="SSH key .* cannot be used") as raised:
        ensure_key(RelayConfig(state_dir=tmp_path, ssh_key=str(tmp_path / "key")))
    assert "Cumulus.ssh_key" in raised.value.next
