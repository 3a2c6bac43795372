"""A host as a provider rents it out: a container with an engine and SSH, behind forwarded ports."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.homes import alive, wait_for
from tests.patience import LIMIT_S
from tests.rig import node
from tests.rig.docker import answers, docker, lines
from tests.rig.rig import LABEL, default_name, run_name, sockets

PORTS = ("22", "2377", "8443")
#: Number of its inner bridge: no node of a rig has it.
_NUMBER = 99


@dataclass(frozen=True)
class Host:
    """One that runs."""

    container: str
    #: The address of the router before it, as it were.
    public: str
    #: Where its engine answers, for what a test looks at.
    engine: str

    def shell(self, *command: str) -> str:
        """What a command there prints."""
        return docker("exec", self.container, *command)


@contextmanager
def host(public_key: str, *, engine: bool = True) -> Iterator[Host]:
    """A host that accepts this key; without ``engine`` a container as providers rent them out."""
    _remove_forsaken()
    name = f"{run_name()}-rented{'' if engine else '-plain'}"
    folder = sockets() / name
    folder.mkdir(parents=True, exist_ok=True)
    image = node.image()
    publish = [word for port in PORTS for word in ("--publish", port)]
    mark = ["--label", f"{LABEL}={name}"]
    if engine:
        dns = node.name_servers(image)
        docker("run", *node.options(name, "rented", name, folder, _NUMBER, dns), *publish, *mark, image)
    else:
        serve = "mkdir -p /run/sshd && ssh-keygen -A >/dev/null && exec /usr/sbin/sshd -D"
        docker("run", "--detach", "--init", "--name", name, *publish, *mark,
               "--entrypoint", "sh", image, "-c", serve)  # fmt: skip
    try:
        bridge = json.loads(docker("network", "inspect", "--format", "{{json .IPAM.Config}}", "bridge"))[0]
        made = Host(name, bridge["Gateway"], f"unix://{folder / 'rented.sock'}")
        script = 'mkdir -p -m 700 ~/.ssh && echo "$0" >~/.ssh/authorized_keys'
        made.shell("sh", "-c", script, public_key)
        assert not engine or wait_for(lambda: answers(made.engine), LIMIT_S)
        yield made
    finally:
        _remove(name)


def _remove(name: str) -> None:
    docker("rm", "--force", "--volumes", name)
    docker("volume", "rm", "--force", f"{name}-data")
    shutil.rmtree(sockets() / name, ignore_errors=True)


def _remove_forsaken() -> None:
    """Hosts of test runs that were killed."""
    ours = f"{default_name()}-run"
    for name in lines("ps", "--all", "--filter", f"label={LABEL}", "--format", "{{.Names}}"):
        run, rented, _ = name.removeprefix(ours).partition("-rented")
        if name.startswith(ours) and rented and not alive(int(run)):
            _remove(name)


def base_image(minor: str) -> str:
    """What the images are built on there: Debian's Python where it can be had without a registry."""
    debian = minor in ("3.11", "3.13") and os.getuid() == 0
    return f"cumulus-base:py{minor}" if debian else f"python:{minor}-slim"


def leftovers(folder: Path) -> list[str]:
    """What the scripts have left in a folder."""
    return sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []
