"""A relay on a rented host, from nothing to nothing: all real but the provider."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cumulus_jupyter import CumulusClient
from tests.rig.docker import copy_image

from .account import Account, Said
from .rented import Host, base_image, host, leftovers

pytestmark = pytest.mark.needs_engine
MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
BUILD = ("--python", MINOR, "--base", base_image(MINOR), "--slim", "--load")
RELAY = "cumulus-relay"
CONNECT = re.compile(r"%cumulus connect (http://127\.0\.0\.1:\d+) --token (\w+)")


@dataclass(frozen=True)
class Rented:
    """A host with a relay, and what the scripts said on the way there."""

    account: Account
    host: Host
    setup: Said
    start: Said

    @property
    def connect(self) -> tuple[str, str]:
        """The relay's address on this machine, and its token."""
        found = CONNECT.search(self.start.out)
        assert found, self.start
        return found[1], found[2]

    def inspect(self) -> dict[str, object]:
        """What the host's engine shows of the relay's container."""
        told: dict[str, object] = json.loads(self.host.shell("docker", "inspect", RELAY))[0]
        return told


@pytest.fixture(scope="module")
def rented(tmp_path_factory: pytest.TempPathFactory, job_image: str) -> Iterator[Rented]:
    """Set up and started; given back at the end, whatever the tests have done."""
    account = Account(tmp_path_factory.mktemp("dev") / "user")
    with host(account.public_key) as there:
        account.set(container=there.container, public=there.public)
        copy_image(base_image(MINOR), [there.engine])
        setup = account.run("dev-setup", "--yes", "--key", str(account.key))
        assert setup.status == 0, setup
        start = account.run("dev-start", *BUILD)
        assert start.status == 0, (start, account.run("dev-logs", "--no-follow"))
        yield Rented(account, there, setup, start)
        account.run("dev-stop", "--yes")


def test_a_job_goes_through_the_tunnel_and_comes_back(rented: Rented) -> None:
    with CumulusClient(*rented.connect) as client:
        assert client.run(divmod, 85, 2) == (42, 1)
        (worker,) = client.workers()
        assert (worker.executor, worker.state) == ("swarm", "ready")


def test_the_host_key_is_told_and_pinned(rented: Rented) -> None:
    assert "trusted at first sight" in rented.setup.out and "SHA256:" in rented.setup.out
    known = rented.account.dev / ".dev-ssh" / "known_hosts"
    pinned = known.read_text()
    assert pinned.startswith("cumulus-dev ssh-")
    stranger = rented.account.folder / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stranger)], check=True)
    subprocess.run([rented.account.dev / ".dev-ssh" / "bin" / "ssh", "-O", "exit", "cumulus-dev"], check=True)
    known.write_text(f"cumulus-dev {stranger.with_suffix('.pub').read_text()}")
    refused = rented.account.run("dev-start", *BUILD)
    known.write_text(pinned)
    assert refused.status == 1 and "another key than the one that was pinned" in refused.err
    # The tunnel was closed: it opens again, and nothing else has to happen.
    again = rented.account.run("dev-start", *BUILD)
    assert again.status == 0 and "the relay runs as it should" in again.out
    assert CONNECT.search(again.out) is None, "the token is shown once"


def test_nothing_is_open_that_need_not_be(rented: Rented) -> None:
    lines = rented.host.shell("ss", "--listening", "--tcp", "--numeric", "--no-header").splitlines()
    listening = {line.split()[3] for line in lines}
    on_all = {each for each in listening if each.startswith(("0.0.0.0:", "[::]:", "*:"))}
    assert on_all <= {"0.0.0.0:22", "[::]:22"}
    assert "127.0.0.1:8765" in listening


def test_the_token_is_in_a_file_and_nowhere_else(rented: Rented) -> None:
    _, token = rented.connect
    assert token not in json.dumps(rented.inspect())
    processes = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'"
    said = rented.host.shell("sh", "-c", f"{processes}; docker logs {RELAY} 2>&1")
    assert "cumulus_server" in said and token not in said
    for file in rented.account.dev.rglob("*"):
        assert not file.is_file() or token not in file.read_text()
    shown = rented.account.run("dev-start", "--token")
    assert CONNECT.search(shown.out) == CONNECT.search(rented.start.out) or token in shown.out


def test_the_relay_is_held_to_what_it_needs(rented: Rented) -> None:
    told = rented.inspect()
    config, held = told["Config"], told["HostConfig"]
    assert isinstance(config, dict) and isinstance(held, dict)
    assert config["User"] == "1000:1000"
    assert held["ReadonlyRootfs"] and held["CapDrop"] == ["ALL"] and not held["Privileged"]
    assert held["SecurityOpt"] == ["no-new-privileges"] and not held["PortBindings"]


def test_a_change_starts_it_anew_with_what_it_knew(rented: Rented) -> None:
    url, token = rented.connect
    before = rented.inspect()["Id"]
    changed = rented.account.run("dev-start", *BUILD, "--", "--Cumulus.simulated_gpus=1")
    assert changed.status == 0 and rented.inspect()["Id"] != before
    with CumulusClient(url, token) as client:
        assert client.run(divmod, 7, 2, gpu=0.5) == (3, 1)
        assert len(client.jobs()) >= 2, "jobs of before are still known"
    logs = rented.account.run("dev-logs", "--no-follow", "--tail", "50")
    assert "Runners of swarm reach this relay at" in logs.out + logs.err


def test_setting_up_again_changes_nothing(rented: Rented) -> None:
    known = rented.account.known()
    done = rented.account.run("dev-setup", "--yes")
    assert done.status == 0 and "ready" in done.out
    assert rented.account.known() == known and len(rented.account.calls("create")) == 1


def test_a_container_for_rent_is_refused_with_what_to_rent(tmp_path: Path, engine: str) -> None:
    account = Account(tmp_path / "user")
    with host(account.public_key, engine=False) as there:
        account.set(container=there.container, public=there.public)
        done = account.run("dev-setup", "--yes", "--key", str(account.key))
        assert done.status == 1
        assert "is a container, and cannot run Docker" in done.err and "rent a VM" in done.err
        assert account.run("dev-stop", "--yes").status == 0


def test_giving_it_back_leaves_nothing(rented: Rented) -> None:
    done = rented.account.run("dev-stop", "--yes")
    assert done.status == 0 and "it has cost about $0.0" in done.out and "is destroyed" in done.out
    assert not rented.account.told()["instances"]
    assert not leftovers(rented.account.dev)
    contexts = subprocess.run(
        ["docker", "context", "ls", "--format", "{{.Name}}"],
        env=rented.account.environment(), check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert contexts.split() == ["default"]
    again = rented.account.run("dev-stop")
    assert again.status == 0 and "there is no rented host" in again.out
