"""A host with the real Chronos (on PoCL) and the real sshd: bookings count, and the gate holds."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator

import asyncssh
import pytest

from cumulus_worker import __version__

from .hosts import Host

#: What nobody may do through the gate, beyond words that it does not know.
NOT_ALLOWED = [
    "",
    "id",
    "sh -c id",
    "/bin/sh",
    "/usr/local/bin/chronos_cli list",
    "env chronos_cli list",
    "true; id",
    "true && id",
    "probe;id",
    "chronos_cli; id",
    "$(id)",
    "`id`",
    "chronos_cli\tlist",
    "\nid",
    "'chronos_cli' list",
    "*",
]


@pytest.fixture(scope="module")
def host(engine: str) -> Iterator[Host]:
    """One with its daemon running."""
    running = Host()
    try:
        running.start_daemon()
        yield running
    finally:
        running.remove()


@pytest.fixture(autouse=True)
def _nothing_booked(host: Host) -> None:
    for partition in host.cli("list")["partitions"]:
        host.cli(f"release {partition['partition']}")


def locks(host: Host) -> list[str]:
    """What libchronos itself holds."""
    return host.sh("ls /tmp/chronos_locks").split()


def test_a_booking_of_chronos_outlives_the_call_that_made_it(host: Host) -> None:
    created = host.cli("create 0 0.7 600 --owner relay --key job-1")
    assert created["uuid"].startswith("OPENCL-") and created["fraction"] == 0.7
    told = host.cli("list")
    assert told["backend"] == "chronos"
    assert [entry["partition"] for entry in told["partitions"]] == [created["partition"]]
    assert len(locks(host)) == 1
    assert host.cli("create 0 0.4 60")["error"]["message"] == "Device 0 has 0.3 left, not 0.4"
    rest = host.cli("create 0 0.3 60")
    assert host.cli("available 0")["fraction"] == 0 and len(locks(host)) == 2
    for entry in (created, rest):
        assert host.cli(f"release {entry['partition']}")["released"]
    assert locks(host) == [] and host.cli("available 0")["fraction"] == 1.0


def test_ten_tenths_are_one_device_to_chronos_too(host: Host) -> None:
    for _ in range(10):
        assert "partition" in host.cli("create 0 0.1 60")
    assert len(locks(host)) == 10


def test_killed_and_started_again_it_is_held_again(host: Host) -> None:
    created = host.cli("create 0 0.5 600")
    [before] = locks(host)
    host.kill_daemon()
    assert host.cli("list")["error"]["code"] == "UNAVAILABLE"
    host.start_daemon()
    [entry] = host.cli("list")["partitions"]
    assert entry["partition"] == created["partition"]
    [after] = locks(host)
    assert after != before and after.split("_")[1] == str(host.daemon())
    assert host.cli("create 0 0.6 60")["error"]["code"] == "REFUSED"
    host.kill_daemon("TERM")
    assert locks(host) == []
    host.start_daemon()
    assert len(locks(host)) == 1


def test_only_the_group_may_ask(host: Host) -> None:
    assert host.sh("stat -c '%a %U %G' /run/cumulus/chronosd.sock") == "660 root cumulus"
    refused = host.try_("chronos_cli", "list", user="stranger")
    assert refused.returncode == 1
    assert refused.stderr.startswith("[ERROR] This user may not use /run/cumulus/chronosd.sock\n")
    assert host.try_("cat", "/var/lib/cumulus/chronos/ledger.json", user="cumulus").returncode == 1


def test_the_probe_of_a_user_who_may_not_ask_docker(host: Host) -> None:
    told = json.loads(host.try_("cumulus-probe", user="cumulus").stdout)
    assert told["os"] == "debian 13" and told["python"].startswith("3.13.")
    assert told["chronos"] == {"running": True, "backend": "chronos", "version": __version__}
    [device] = told["devices"]
    assert device["kind"] == "opencl" and device["memory_mib"] > 0 and "cpu" in device["name"]
    assert told["docker"] == {"version": "", "nvidia": False, "swarm": "", "node_id": ""}


@pytest.fixture(scope="module")
def key(host: Host) -> asyncssh.SSHKey:
    """The relay's, which the host lets in through the gate."""
    made = asyncssh.generate_private_key("ssh-ed25519", comment="relay")
    host.authorize(made.export_public_key().decode().strip())
    return made


@pytest.fixture
async def ssh(host: Host, key: asyncssh.SSHKey) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """A connection as the relay has it, the host's key pinned."""
    trusted = asyncssh.import_known_hosts(f"{host.address} {host.host_key}\n")
    async with asyncssh.connect(
        host.address, username="cumulus", client_keys=[key], known_hosts=trusted, agent_path=None, config=None
    ) as connection:
        yield connection


async def test_the_gate_lets_its_words_through(ssh: asyncssh.SSHClientConnection) -> None:
    nothing = await ssh.run("true")
    assert (nothing.exit_status, nothing.stdout, nothing.stderr) == (0, "", "")
    probed = await ssh.run("probe", check=True)
    assert json.loads(str(probed.stdout))["version"] == 1
    created = await ssh.run("chronos_cli create 0 0.5 60 --owner relay --key job-1 --json", check=True)
    partition = json.loads(str(created.stdout))["partition"]
    human = await ssh.run("chronos_cli create 0 0.2 60")
    assert str(human.stdout).startswith("[OK] Created partition partition_")
    released = await ssh.run(f"chronos_cli release {partition}")
    assert released.exit_status == 0
    gone = await ssh.run(f"chronos_cli release {partition}")
    assert gone.exit_status == 1 and str(gone.stderr).startswith("[ERROR] Partition not found")


async def test_a_session_over_one_channel(ssh: asyncssh.SSHClientConnection) -> None:
    async with ssh.create_process("chronos_cli session") as session:
        assert json.loads(await session.stdout.readline())["backend"] == "chronos"
        for number in range(1, 4):
            argv = ["create", "0", "0.3", "60", "--owner", "relay", "--key", f"job-{number}"]
            session.stdin.write(json.dumps({"id": number, "argv": argv}) + "\n")
            told = json.loads(await session.stdout.readline())
            assert (told["id"], told["exit"], told["answer"]["key"]) == (number, 0, f"job-{number}")
        session.stdin.write_eof()
        await session.wait_closed()
    assert session.exit_status == 0


@pytest.mark.parametrize("command", NOT_ALLOWED)
async def test_the_gate_lets_nothing_else_through(ssh: asyncssh.SSHClientConnection, command: str) -> None:
    refused = await ssh.run(command or None, stdin=asyncssh.DEVNULL)
    assert refused.exit_status == 126, refused
    assert refused.stdout == ""
    assert str(refused.stderr).startswith("This key may run chronos_cli, probe and true, and nothing else.")


@pytest.mark.parametrize("argument", ["$(id)", "`id`", ";id", "&&id", "*", "--owner=$HOME", "'list'", "|id"])
async def test_arguments_are_not_expanded(ssh: asyncssh.SSHClientConnection, argument: str) -> None:
    refused = await ssh.run(f"chronos_cli {argument} --json")
    assert refused.exit_status == 1
    message = json.loads(str(refused.stdout))["error"]["message"]
    assert argument in message and "uid=" not in message


async def test_nothing_of_the_callers_environment_goes_on(ssh: asyncssh.SSHClientConnection) -> None:
    # LC_* is what sshd takes over as Debian sets it up.
    environment = {"LC_ALL": "C", "CUMULUS_CHRONOS_SOCKET": "/tmp/elsewhere", "PYTHONPATH": "/tmp"}
    listed = await ssh.run("chronos_cli list --json", env=environment)
    assert json.loads(str(listed.stdout))["backend"] == "chronos"


async def test_the_key_opens_no_tunnel_and_no_files(ssh: asyncssh.SSHClientConnection) -> None:
    with pytest.raises(asyncssh.ChannelOpenError):
        await ssh.open_connection("127.0.0.1", 22)
    with pytest.raises((asyncssh.SFTPError, asyncssh.ChannelOpenError)):
        await ssh.start_sftp_client()
    with pytest.raises(asyncssh.ChannelOpenError):
        await ssh.run("true", term_type="xterm", check=True)
