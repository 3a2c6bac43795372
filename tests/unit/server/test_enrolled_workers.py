"""Hosts that are ready, leave, come back, or are gone: who is enrolled, and who is put out of the Swarm."""

from __future__ import annotations

import pytest

from cumulus_jupyter.protocol.enrolment import Enrol, Ready, SshDoor
from cumulus_jupyter.protocol.errors import (
    FailedPrecondition,
    InvalidArgument,
    PermissionDenied,
    Unavailable,
)
from tests.fakes.hosts import HOST_KEY

from .enrolling import KEY, OTHER_KEY, PEER, Relay, refused


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


async def test_a_copy_of_a_machine_that_is_down_does_not_put_that_out(relay: Relay) -> None:
    for node_id, key, hostname in (("node1", KEY, "gpu1"), ("node2", OTHER_KEY, "gpu2")):
        await relay.enrolled(key, hostname)
        relay.hosts.up[node_id] = hostname
        await relay.ready(node_id, key, hostname=hostname)
        relay.hosts.down[node_id] = relay.hosts.up.pop(node_id)
    assert relay.hosts.dismissed == []
    # A host of the same name and key, set up from nothing, is the one that was there.
    await relay.enrolled("8" * 64, "gpu1")
    relay.hosts.up["node3"] = "gpu1"
    await relay.ready("node3", "8" * 64, hostname="gpu1")
    assert relay.hosts.dismissed == ["node1"]
    assert [row.node_id for row in await relay.rows()] == ["node2", "node3"]


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
