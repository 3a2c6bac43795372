"""One-time tokens, session keys, and who is enrolled, by a fake clock and with a fake Swarm."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cumulus_jupyter.protocol.enrolment import TOKEN_S, Enrol, Leave, Ready, SshDoor
from cumulus_jupyter.protocol.errors import (
    CumulusError,
    FailedPrecondition,
    InvalidArgument,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from cumulus_server.relay.contract import Entrance
from cumulus_server.relay.enrolments import Enrolments, command
from cumulus_server.store import Store, workers
from cumulus_server.store.workers import EnrolledWorker
from tests.fakes.hosts import HOST_KEY, FakeHosts

KEY, OTHER_KEY = "5" * 64, "6" * 64
PEER = "192.0.2.7"


class Clock:
    """Milliseconds that the test moves."""

    def __init__(self) -> None:
        self.ms = 1_000_000_000_000

    def __call__(self) -> int:
        return self.ms


class Relay:
    """Enrolments on a store that outlives them."""

    def __init__(self, path: Path) -> None:
        self.path, self.hosts, self.clock = path, FakeHosts(), Clock()
        self.restart()

    def restart(self) -> None:
        """Build all anew on what is on the disk."""
        if hasattr(self, "store"):
            self.store.close()
        self.store = Store(self.path)
        self.store.open()
        self.enrolments = Enrolments(self.store, self.hosts, self.clock)

    async def token(self) -> str:
        """A new one-time token."""
        return (await self.enrolments.new_token()).token

    async def enrolled(self, key: str = KEY, hostname: str = "gpu1") -> str:
        """A host that has used a token; the token."""
        token = await self.token()
        await self.enrolments.enrol(token, Enrol(key, hostname))
        return token

    async def ready(self, node_id: str, key: str = KEY, host_key: str = HOST_KEY) -> str:
        """The host says that it is ready; what the worker is called."""
        session = await self.enrolments.session(key)
        answer = await self.enrolments.ready(session, Ready(node_id, SshDoor(host_key)), PEER)
        return answer.worker

    async def leave(self, key: str = KEY, node_id: str = "") -> str:
        """The host leaves; what the worker was called."""
        session = await self.enrolments.session(key, left=True)
        return (await self.enrolments.leave(session, Leave(node_id))).worker

    async def rows(self) -> list[EnrolledWorker]:
        """Who is enrolled."""
        return await self.store.run(workers.load_enrolled)


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    """A relay."""
    made = Relay(tmp_path / "test.db")
    yield made
    made.store.close()


async def refused(relay: Relay, token: str, key: str = KEY, hostname: str = "gpu1") -> CumulusError:
    """What a host is told instead of the terms."""
    with pytest.raises(CumulusError) as raised:
        await relay.enrolments.enrol(token, Enrol(key, hostname))
    assert raised.value.next
    return raised.value


async def test_a_token_is_used_up_by_the_first_session_key(relay: Relay) -> None:
    token = await relay.enrolled()
    again = await relay.enrolments.enrol(token, Enrol(KEY, "gpu1"))
    assert again == await relay.hosts.terms()
    error = await refused(relay, token, OTHER_KEY, "gpu2")
    assert isinstance(error, PermissionDenied)
    assert "has been used" in error.message and "gpu1" in error.message
    assert "add-worker" in error.next


async def test_of_many_uses_at_once_one_has_it(relay: Relay) -> None:
    token = await relay.token()
    keys = [f"{number:064x}" for number in range(40)]
    answers = await asyncio.gather(
        *(relay.enrolments.enrol(token, Enrol(key, "gpu1")) for key in keys), return_exceptions=True
    )
    assert sum(not isinstance(answer, Exception) for answer in answers) == 1
    assert sum(isinstance(answer, PermissionDenied) for answer in answers) == len(keys) - 1


async def test_a_token_holds_for_an_hour(relay: Relay) -> None:
    made = await relay.enrolments.new_token()
    assert made.expires_ms == relay.clock.ms + TOKEN_S * 1000
    relay.clock.ms = made.expires_ms - 1
    other = await relay.token()
    await relay.enrolments.enrol(made.token, Enrol(KEY, "gpu1"))
    relay.clock.ms += TOKEN_S * 1000
    # Whoever has begun goes on, however long it takes.
    await relay.enrolments.enrol(made.token, Enrol(KEY, "gpu1"))
    await relay.enrolments.enrol(KEY, Enrol(KEY, "gpu1"))
    relay.clock.ms += 1
    error = await refused(relay, other, OTHER_KEY)
    assert isinstance(error, PermissionDenied)
    assert "expired" in error.message and "add-worker" in error.next


async def test_what_is_no_token_is_told_so(relay: Relay) -> None:
    await relay.enrolled()
    for bearer, key in (("7" * 64, OTHER_KEY), (OTHER_KEY, OTHER_KEY), (KEY, OTHER_KEY)):
        error = await refused(relay, bearer, key)
        assert isinstance(error, Unauthenticated)
        assert "add-worker" in error.next


@pytest.mark.parametrize(
    "ask",
    [
        Enrol("short", "gpu1"), Enrol("Z" * 64, "gpu1"), Enrol("5" * 257, "gpu1"), Enrol(KEY, ""),
        Enrol(KEY, "a b"), Enrol(KEY, "x" * 254), Enrol(KEY, "gpu1\n"),
    ],
)  # fmt: skip
async def test_a_weak_key_or_a_name_that_is_none_uses_no_token_up(relay: Relay, ask: Enrol) -> None:
    token = await relay.token()
    with pytest.raises(InvalidArgument):
        await relay.enrolments.enrol(token, ask)
    await relay.enrolments.enrol(token, Enrol(KEY, "gpu1"))


async def test_without_a_swarm_there_is_no_token(relay: Relay) -> None:
    relay.hosts.trouble = FailedPrecondition("none", next="docker swarm init")
    with pytest.raises(FailedPrecondition, match="none"):
        await relay.enrolments.new_token()


async def test_only_hashes_are_stored(relay: Relay) -> None:
    token = await relay.enrolled()
    relay.hosts.up["node1"] = "gpu1"
    await relay.ready("node1")
    relay.store.close()
    for file in relay.path.parent.iterdir():
        content = file.read_bytes()
        assert token.encode() not in content
        assert KEY.encode() not in content
    relay.restart()


async def test_a_ready_host_is_a_worker(relay: Relay) -> None:
    await relay.enrolled()
    relay.hosts.up["node1"] = "gpu1"
    session = await relay.enrolments.session(KEY)
    ready = Ready("node1", SshDoor(HOST_KEY, port=2222), {"devices": []})
    answer = await relay.enrolments.ready(session, ready, PEER)
    assert (answer.worker, answer.devices) == ("gpu1", 1)
    assert "%cumulus workers" in answer.next
    (row,) = await relay.rows()
    assert (row.node_id, row.name, row.ssh_address, row.ssh_port, row.ssh_user, row.host_key) == (
        "node1", "gpu1", PEER, 2222, "cumulus", HOST_KEY
    )  # fmt: skip
    assert row.probe == {"devices": relay.hosts.devices}
    assert relay.hosts.changes == 1
    assert await relay.ready("node1") == "gpu1"
    assert len(await relay.rows()) == 1


async def test_what_the_relay_finds_wrong_enrols_nobody(relay: Relay) -> None:
    await relay.enrolled()
    relay.hosts.up["node1"] = "gpu1"
    relay.hosts.refuse = FailedPrecondition("The relay cannot reach this host's SSH", next="open the port")
    with pytest.raises(FailedPrecondition):
        await relay.ready("node1")
    assert await relay.rows() == []
    relay.hosts.refuse = None
    assert await relay.ready("node1") == "gpu1"


@pytest.mark.parametrize(
    "ready",
    [
        Ready("", SshDoor(HOST_KEY)), Ready("../x", SshDoor(HOST_KEY)), Ready("node1", SshDoor("")),
        Ready("node1", SshDoor(f"{HOST_KEY}\n{HOST_KEY}")), Ready("node1", SshDoor(HOST_KEY, port=0)),
        Ready("node1", SshDoor(HOST_KEY, "-o ProxyCommand=x")), Ready("node1", SshDoor(HOST_KEY, port=70000)),
    ],
)  # fmt: skip
async def test_what_cannot_be_so_is_refused_before_anything_is_asked(relay: Relay, ready: Ready) -> None:
    await relay.enrolled()
    session = await relay.enrolments.session(KEY)
    with pytest.raises(InvalidArgument):
        await relay.enrolments.ready(session, ready, PEER)
    assert relay.hosts.peers == []


async def test_a_relay_started_again_in_the_middle_goes_on(relay: Relay) -> None:
    token = await relay.token()
    relay.restart()
    await relay.enrolments.enrol(token, Enrol(KEY, "gpu1"))
    relay.restart()
    await relay.enrolments.session(KEY)
    relay.hosts.up["node1"] = "gpu1"
    assert await relay.ready("node1") == "gpu1"
    relay.restart()
    assert isinstance(await refused(relay, token, OTHER_KEY), PermissionDenied)
    assert [row.node_id for row in await relay.rows()] == ["node1"]
    assert await relay.leave() == "gpu1"
    relay.restart()
    assert await relay.leave() == ""


async def test_leaving_is_for_good_and_may_be_asked_again(relay: Relay) -> None:
    token = await relay.enrolled()
    relay.hosts.up["node1"] = "gpu1"
    await relay.ready("node1")
    assert await relay.leave() == "gpu1"
    assert relay.hosts.dismissed == ["node1"]
    assert await relay.rows() == []
    assert await relay.leave() == ""
    with pytest.raises(PermissionDenied, match="has left"):
        await relay.enrolments.session(KEY)
    for bearer in (token, KEY):
        error = await refused(relay, bearer)
        assert isinstance(error, PermissionDenied) and "has left" in error.message


async def test_a_leave_that_the_swarm_did_not_hear_is_asked_again(relay: Relay) -> None:
    await relay.enrolled()
    relay.hosts.up["node1"] = "gpu1"
    await relay.ready("node1")
    relay.hosts.trouble = Unavailable("away")
    with pytest.raises(Unavailable):
        await relay.leave()
    assert len(await relay.rows()) == 1
    relay.hosts.trouble = None
    assert await relay.leave() == "gpu1"


async def test_a_host_that_was_never_ready_takes_its_node_with_it(relay: Relay) -> None:
    await relay.enrolled()
    relay.hosts.up |= {"node1": "gpu1", "node2": "manager"}
    await relay.leave(node_id="node2")
    assert relay.hosts.dismissed == []
    await relay.leave(node_id="node1")
    # It had left by then: a key that leaked is worth nothing.
    assert relay.hosts.dismissed == []
    await relay.enrolled(OTHER_KEY)
    await relay.leave(OTHER_KEY, "node1")
    assert relay.hosts.dismissed == ["node1"]


async def test_the_same_host_comes_back_as_another_node(relay: Relay) -> None:
    await relay.enrolled()
    relay.hosts.up["node1"] = "gpu1"
    await relay.ready("node1")
    await relay.leave()
    await relay.enrolled(OTHER_KEY)
    relay.hosts.up["node2"] = "gpu1"
    await relay.ready("node2", OTHER_KEY)
    assert [(row.node_id, row.name) for row in await relay.rows()] == [("node2", "gpu1")]


async def test_a_host_that_joined_anew_replaces_its_old_node(relay: Relay) -> None:
    await relay.enrolled()
    relay.hosts.up["node1"] = "gpu1"
    await relay.ready("node1")
    relay.hosts.down["node1"] = relay.hosts.up.pop("node1")
    relay.hosts.up["node2"] = "gpu1"
    await relay.ready("node2")
    assert relay.hosts.dismissed == ["node1"]
    assert [row.node_id for row in await relay.rows()] == ["node2"]


async def test_copies_of_one_machine_are_two_workers(relay: Relay) -> None:
    """Both show one host key, as machines made of one image do; and may have one name."""
    for node_id, key in (("node1", KEY), ("node2", OTHER_KEY)):
        await relay.enrolled(key, "gpu")
        relay.hosts.up[node_id] = f"gpu-{node_id}"
        await relay.ready(node_id, key)
    assert relay.hosts.dismissed == []
    assert [row.node_id for row in await relay.rows()] == ["node1", "node2"]
    assert await relay.leave(KEY) == "gpu-node1"
    assert [row.node_id for row in await relay.rows()] == ["node2"]


async def test_nobody_takes_another_hosts_node(relay: Relay) -> None:
    await relay.enrolled()
    relay.hosts.up["node1"] = "gpu1"
    await relay.ready("node1")
    await relay.enrolled(OTHER_KEY, "gpu2")
    with pytest.raises(PermissionDenied, match="another host has enrolled") as raised:
        await relay.ready("node1", OTHER_KEY, HOST_KEY + "B")
    assert "docker node rm" in raised.value.next
    assert await relay.ready("node1", OTHER_KEY) == "gpu1"  # by the same host key it is the same host
    assert len(await relay.rows()) == 1


async def test_who_was_removed_from_the_swarm_is_forgotten(
    relay: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    await relay.enrolled()
    relay.hosts.up["node1"] = "gpu1"
    await relay.ready("node1")
    relay.hosts.down["node1"] = relay.hosts.up.pop("node1")
    await relay.enrolments.forget_removed()
    assert len(await relay.rows()) == 1  # down, and may come back
    relay.hosts.trouble = Unavailable("away")
    del relay.hosts.down["node1"]
    await relay.enrolments.forget_removed()
    assert len(await relay.rows()) == 1
    relay.hosts.trouble = None
    await relay.enrolments.forget_removed()
    assert await relay.rows() == []
    assert "gpu1 was removed from the Swarm" in caplog.text and "setup-worker.sh" in caplog.text
    relay.hosts.up["node2"] = "gpu1"
    await relay.enrolments.enrol(KEY, Enrol(KEY, "gpu1"))
    assert await relay.ready("node2") == "gpu1"


async def test_another_swarm_makes_nobody_forgotten(relay: Relay) -> None:
    await relay.enrolled()
    relay.hosts.up["node1"] = "gpu1"
    await relay.ready("node1")
    relay.hosts.swarm_id = "swarm2"
    del relay.hosts.up["node1"]
    await relay.enrolments.forget_removed()
    assert len(await relay.rows()) == 1


async def test_old_tokens_do_not_pile_up(relay: Relay) -> None:
    def count(tx: object) -> int:
        return int(tx.execute("SELECT count(*) FROM worker_tokens").fetchone()[0])  # type: ignore[attr-defined]

    await relay.enrolled()
    relay.hosts.up["node1"] = "gpu1"
    await relay.ready("node1")
    await relay.enrolled(OTHER_KEY, "gpu2")
    for _ in range(5):
        await relay.token()
    relay.clock.ms += 2 * 24 * 3600 * 1000
    await relay.token()
    assert await relay.store.run(count) == 3
    relay.clock.ms += 40 * 24 * 3600 * 1000
    await relay.token()
    assert await relay.store.run(count) == 2  # the new one, and that of the worker
    await relay.enrolments.session(KEY)


def test_the_line_is_one_that_a_shell_reads() -> None:
    line = command(Entrance("https://192.0.2.1:20000/", "sha256//a+b/c="), "5" * 64)
    assert "\n" not in line
    fetch, _, run = line.partition(" | ")
    assert shlex.split(fetch) == [
        "curl", "-fsSk", "--pinnedpubkey", "sha256//a+b/c=", "https://192.0.2.1:20000/cumulus/setup-worker.sh"
    ]  # fmt: skip
    assert shlex.split(run.partition("bash")[2]) == [
        "-s", "--", "--relay", "https://192.0.2.1:20000", "--pin", "sha256//a+b/c=", "--token", "5" * 64
    ]  # fmt: skip
    public = command(Entrance("https://relay.example/base/"), "5" * 64)
    assert "pin" not in public and " -fsS https://relay.example/base/cumulus/setup-worker.sh |" in public
