"""The last step: tell the relay what is here, which then looks in by SSH."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cumulus_worker import launchers
from cumulus_worker.setup import state
from cumulus_worker.setup.account import HOST_KEY, SshServer
from cumulus_worker.setup.relay import Relay
from cumulus_worker.setup.telling import Failed, note, run

#: The relay waits for the node and connects before it answers.
_ANSWER_S = 180.0


def report(ssh_address: str = "") -> None:
    """Hand over the probe and the SSH host key; tell what the relay makes of it."""
    kept = state.load()
    # The very command that the relay will run.
    found = json.loads(run(str(launchers.places().probe)))
    body = {"node_id": kept["node_id"], "ssh": door(ssh_address), "probe": found}
    answer = Relay(kept).post("ready", body, _ANSWER_S)
    state.keep(worker=answer["worker"])
    note(f"it is the relay's worker {answer['worker']}, with {described(found)}")
    if answer.get("next"):
        note(answer["next"])


def door(ssh_address: str) -> dict[str, Any]:
    """Where the relay comes in: the address it sees and sshd's own port, unless others were asked for."""
    host, colon, port = ssh_address.rpartition(":") if ":" in ssh_address else (ssh_address, "", "")
    if colon and not port.isdigit():
        raise Failed(
            f"--ssh-address {ssh_address} is not HOST:PORT", next="Give a host, or a host and a port."
        )
    fields = Path(f"{HOST_KEY}.pub").read_text().split()
    return {
        "address": host.strip("[]"),
        "port": int(port) if port else SshServer.ask().port,
        "host_key": " ".join(fields[:2]),
    }


def described(found: dict[str, Any]) -> str:
    """The devices of a probe in words."""
    names = [f"{device['name']} ({device['memory_mib']} MiB)" for device in found["devices"]]
    count = f"{len(names)} GPU{'' if len(names) == 1 else 's'}"
    return f"{count}: {', '.join(names)}" if names else "no GPU: it runs jobs without --gpu"
