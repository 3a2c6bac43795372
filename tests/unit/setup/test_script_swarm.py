"""Which Swarm the script takes for the relay's, and which one it leaves."""

from __future__ import annotations

import json

import pytest

from tests.fakes.setup_script import Script

SWARM = '{"Swarm":{"NodeID":"%s","LocalNodeState":"%s","RemoteManagers":[{"Addr":"%s"}]}}'
MANAGER = "192.0.2.1:2377"


def keep(script: Script, kept: dict[str, str]) -> None:
    told = {"relay": "https://192.0.2.1:8443", "pin": "", "session_key": "ab" * 32, **kept}
    (script.state / "worker.json").write_text(json.dumps(told, indent=1))


@pytest.mark.parametrize(
    ("manager", "kept", "known"),
    [
        (MANAGER, {}, True),
        ("192.0.2.9:2377", {}, False),
        ("192.0.2.9:2377", {"node_id": "other"}, False),
        # It was let join by another name of the manager.
        ("192.0.2.9:2377", {"node_id": "n1"}, True),
        ("192.0.2.9:2377", {"node_id": "", "joining": "manager:2377"}, True),
    ],
)
def test_a_host_of_another_swarm(script: Script, manager: str, kept: dict[str, str], known: bool) -> None:
    terms = {"relay_id": "r", "swarm": {"address": MANAGER, "join_token": "t"}}
    (script.folder / "work" / "terms.json").write_text(json.dumps(terms))
    keep(script, kept)
    info = SWARM % ("n1", "active", manager)
    done = script.run(
        f"in_swarm() {{ true; }}; engine() {{ echo '{info}'; }}; step other 'checking' check_swarm"
    )
    assert (done.returncode == 0) is known, done.stdout
    if not known:
        assert f"This host is in another Swarm already, not in that of {MANAGER}." in done.stdout
        assert "docker swarm leave" in done.stdout


def test_a_swarm_that_is_not_well_has_its_ports(script: Script) -> None:
    info = SWARM % ("n1", "error", MANAGER)
    done = script.run(
        f"engine_answers() {{ true; }}; engine() {{ echo '{info}'; }}; port_taken() {{ true; }}; "
        "step host 'checking' check_ports"
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("state", "kept", "leaves"),
    [
        ("active", {"node_id": "n1"}, True),
        ("pending", {"node_id": "n1"}, True),
        ("pending", {"node_id": "", "joining": MANAGER}, True),
        # Refused for being in another Swarm, or let join that one since.
        ("active", {}, False),
        ("active", {"node_id": "n2"}, False),
        ("inactive", {"node_id": "n1"}, False),
    ],
)
def test_which_swarm_is_left(script: Script, state: str, kept: dict[str, str], leaves: bool) -> None:
    keep(script, kept)
    info = SWARM % ("n1", state, MANAGER)
    done = script.run(
        "engine_answers() { true; }; "
        f"engine() {{ case $* in */info) echo '{info}' ;; *) echo \"$*\" >>$work/asked ;; esac; }}; "
        "step swarm 'leaving' leave_swarm"
    )
    assert done.returncode == 0, done.stdout
    asked = (script.folder / "work" / "asked").read_text()
    assert ("swarm/leave" in asked) is leaves
