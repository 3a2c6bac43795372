"""The steps that are the package's, before stand-ins of the relay and of the engine."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cumulus_worker.setup import images, ready, state, swarm
from cumulus_worker.setup.__main__ import main
from cumulus_worker.setup.relay import Relay
from cumulus_worker.setup.services import init_script
from cumulus_worker.setup.telling import Failed
from tests.fakes.engine_socket import EngineSocket
from tests.fakes.enrolment_relay import EnrolmentRelay
from tests.patience import LIMIT_S

from .conftest import KEY

ID = "sha256:" + "1" * 64
MANAGER = "127.0.0.1:2377"


def terms(kept: Path, **more: Any) -> str:
    path = kept / "terms.json"
    path.write_text(json.dumps(more))
    return str(path)


def one_image(kept: Path, name: str) -> str:
    return terms(kept, images=[{"name": name, "id": ID, "bytes": 1}])


def test_an_image_is_streamed_from_the_relay(
    kept: Path, relay: EnrolmentRelay, own_engine: EngineSocket
) -> None:
    content = b"tar" * 1_000_000
    relay.answers["enrolment/images/job%3Aslim"] = (200, content)
    own_engine.answers["POST /images/load?quiet=1"] = (200, {"stream": "Loaded image: job:slim"})
    with pytest.raises(Failed, match="sent no image job:slim"):
        images.fetch(one_image(kept, "job:slim"))
    assert own_engine.asked[1][1] == content
    assert relay.asked[-1][1] == KEY
    assert (kept / "images").read_text() == "job:slim\n"


def test_an_image_that_is_there_is_left(kept: Path, relay: EnrolmentRelay, own_engine: EngineSocket) -> None:
    own_engine.answers["GET /images/job:slim/json"] = (200, {"Id": ID})
    images.fetch(one_image(kept, "job:slim"))
    assert not relay.asked
    assert not (kept / "images").exists()


def test_an_image_that_docker_cannot_take(
    kept: Path, relay: EnrolmentRelay, own_engine: EngineSocket
) -> None:
    relay.answers["enrolment/images/job%3Aslim"] = (200, b"tar")
    own_engine.answers["POST /images/load?quiet=1"] = (200, {"error": "no space left on device"})
    with pytest.raises(Failed, match="could not load job:slim: no space left on device") as failed:
        images.fetch(one_image(kept, "job:slim"))
    assert "df -h" in failed.value.next


def test_an_image_that_the_relay_does_not_send_whole(
    kept: Path, relay: EnrolmentRelay, own_engine: EngineSocket
) -> None:
    relay.answers["enrolment/images/job%3Aslim"] = (500, b"half of it")
    own_engine.answers["POST /images/load?quiet=1"] = (200, {"error": "unexpected EOF"})
    with pytest.raises(Failed, match="The relay at .* cannot be asked: .* 500"):
        images.fetch(one_image(kept, "job:slim"))


def test_an_image_is_pulled_from_its_own_registry_only(
    kept: Path, relay: EnrolmentRelay, own_engine: EngineSocket
) -> None:
    assert [
        images.has_registry(name) for name in ("job:1", "some/job:1", "host.tld/job:1", "host:5/job:1")
    ] == [
        False,
        False,
        True,
        True,
    ]
    own_engine.answers["POST /images/create?fromImage=host.tld%2Fjob&tag=1"] = (200, b'{"error": "denied"}\n')
    relay.answers["enrolment/images/host.tld%2Fjob%3A1"] = (200, b"tar")
    own_engine.answers["POST /images/load?quiet=1"] = (200, {})
    with pytest.raises(Failed, match="sent no image"):
        images.fetch(one_image(kept, "host.tld/job:1"))
    assert relay.asked


class Manager:
    """Somebody who listens where the terms say that the Swarm's manager does."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"


def test_the_token_goes_to_the_engine_s_socket_alone(kept: Path, own_engine: EngineSocket) -> None:
    manager = Manager()
    own_engine.answers["GET /info"] = (200, {"Swarm": {"LocalNodeState": "inactive", "NodeID": "n1"}})
    own_engine.answers["POST /swarm/join"] = (200, b"")
    with manager.socket:
        swarm.join(terms(kept, swarm={"address": manager.address, "join_token": "SWMTKN-1"}))
    body = json.loads(own_engine.asked[1][1])
    assert body["JoinToken"] == "SWMTKN-1"
    assert body["RemoteAddrs"] == [manager.address]
    assert body["AdvertiseAddr"] == "127.0.0.1"
    assert state.load()["node_id"] == "n1"
    assert state.load()["session_key"] == KEY
    assert (kept / "worker.json").stat().st_mode & 0o777 == 0o600


def test_a_manager_that_cannot_be_reached(kept: Path, own_engine: EngineSocket) -> None:
    own_engine.answers["GET /info"] = (200, {"Swarm": {"LocalNodeState": "inactive"}})
    with pytest.raises(Failed, match=r"manager does not answer at 127\.0\.0\.1:1") as failed:
        swarm.join(terms(kept, swarm={"address": "127.0.0.1:1", "join_token": "t"}))
    assert "Open port 1/tcp" in failed.value.next


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            {"RemoteManagers": [{"Addr": "192.0.2.9:2377"}]},
            "in another Swarm already, that of 192.0.2.9:2377",
        ),
        ({"ControlAvailable": True}, "This host is a manager of a Swarm"),
        ({"LocalNodeState": "locked"}, "in another Swarm already: locked"),
    ],
)
def test_a_host_of_another_swarm_is_left_there(
    kept: Path, own_engine: EngineSocket, found: dict[str, Any], said: str
) -> None:
    own_engine.answers["GET /info"] = (200, {"Swarm": {"LocalNodeState": "active", "NodeID": "n9", **found}})
    with pytest.raises(Failed, match=said) as failed:
        swarm.join(terms(kept, swarm={"address": MANAGER, "join_token": "t"}))
    assert "docker swarm leave" in failed.value.next
    assert [asked for asked, _ in own_engine.asked] == ["GET /info"]


def test_a_node_of_the_relay_s_swarm_stays_as_it_is(kept: Path, own_engine: EngineSocket) -> None:
    there = {"LocalNodeState": "active", "NodeID": "n1", "RemoteManagers": [{"Addr": MANAGER}]}
    own_engine.answers["GET /info"] = (200, {"Swarm": there})
    swarm.join(terms(kept, swarm={"address": MANAGER, "join_token": "t"}))
    assert {asked for asked, _ in own_engine.asked} == {"GET /info"}


def test_a_host_that_knows_the_manager_by_another_name_stays_as_it_is(
    kept: Path, own_engine: EngineSocket
) -> None:
    there = {"LocalNodeState": "active", "NodeID": "n1", "RemoteManagers": [{"Addr": "10.0.0.5:2377"}]}
    own_engine.answers["GET /info"] = (200, {"Swarm": there})
    for known in ({"node_id": "n1"}, {"node_id": "", "joining": MANAGER}):
        state.keep(**known)
        swarm.join(terms(kept, swarm={"address": MANAGER, "join_token": "t"}))
    state.keep(node_id="n2")
    with pytest.raises(Failed, match="in another Swarm already"):
        swarm.join(terms(kept, swarm={"address": MANAGER, "join_token": "t"}))
    assert {asked for asked, _ in own_engine.asked} == {"GET /info"}


def test_a_join_that_docker_goes_on_with_is_known(kept: Path, own_engine: EngineSocket) -> None:
    manager = Manager()
    own_engine.answers["GET /info"] = (200, {"Swarm": {"LocalNodeState": "inactive"}})
    own_engine.answers["POST /swarm/join"] = (503, {"message": "The attempt will continue"})
    order = {"address": manager.address, "join_token": "t"}
    with manager.socket, pytest.raises(Failed, match="The attempt will continue"):
        swarm.join(terms(kept, swarm=order))
    assert state.load()["joining"] == manager.address


def test_steps_beside_each_other_lose_nothing_of_what_they_keep(kept: Path) -> None:
    with ThreadPoolExecutor(4) as steps:
        list(steps.map(lambda number: state.keep(**{f"of-{number}": number}), range(40)))
    assert {key for key in state.load() if key.startswith("of-")} == {f"of-{number}" for number in range(40)}


def test_an_engine_that_is_away_is_told(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUMULUS_ENGINE_SOCKET", str(kept / "nowhere"))
    monkeypatch.setenv("CUMULUS_FAILURE", str(kept / "failure"))
    assert main(["swarm", terms(kept, swarm={"address": MANAGER, "join_token": "t"})]) == 1
    message, what_to_do = (kept / "failure").read_text().splitlines()
    assert message.startswith("Docker does not answer: ")
    assert "run the same line again" in what_to_do


def test_the_relay_s_refusal_keeps_its_words(kept: Path, relay: EnrolmentRelay) -> None:
    relay.answers["enrolment/ready"] = (409, {"message": "The relay cannot reach SSH.", "next": "Open it."})
    with pytest.raises(Failed, match=r"The relay refuses: The relay cannot reach SSH\.") as failed:
        Relay(state.load()).post("ready", {"node_id": "n1"})
    assert failed.value.next == "Open it."
    assert relay.asked == [("enrolment/ready", KEY, {"node_id": "n1"})]


def test_an_ssh_address_that_is_none(kept: Path) -> None:
    with pytest.raises(Failed, match="is not HOST:PORT"):
        ready.door("host:ssh")


def test_what_ends_is_started_again_until_it_is_stopped(tmp_path: Path) -> None:
    command = tmp_path / "daemon"
    command.write_text("#!/bin/sh\necho started\nexec sleep 600\n")
    command.chmod(0o755)
    script = tmp_path / "init"
    script.write_text(init_script("cumulus-test", "a test", str(command)))
    kept = subprocess.Popen(["sh", str(script), "keep"], stdout=subprocess.PIPE, text=True)
    assert kept.stdout is not None
    with kept.stdout:
        assert kept.stdout.readline() == "started\n"
        children = Path(f"/proc/{kept.pid}/task/{kept.pid}/children")
        (child,) = children.read_text().split()
        subprocess.run(["kill", "-KILL", child], check=True)
        assert kept.stdout.readline() == "started\n"
        (child,) = children.read_text().split()
        kept.send_signal(signal.SIGTERM)
        assert kept.wait(LIMIT_S) == 0
    assert not Path(f"/proc/{child}").exists()
