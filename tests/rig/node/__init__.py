"""One host of the rig: its image, and how its container is run."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

from tests.rig.docker import DockerFailed, docker, image_id

FOLDER = Path(__file__).resolve().parent
#: Python's minor and Debian's name of the release that the image is made of: it has an engine with API 1.45.
BASE = "cumulus-base:py3.13"
SUITE = "trixie"
#: Seconds that an image may take, from slow mirrors too.
BUILD_S = 1200.0
_MAKE_BASE = FOLDER.parents[2] / "job-image" / "make-base"
#: As near to --privileged as a machine allows that lacks a capability itself.
RIGHTS = (
    *("--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE"),
    *("--security-opt", "seccomp=unconfined"),
    *("--security-opt", "apparmor=unconfined"),
    *("--security-opt", "systempaths=unconfined"),
    *("--device-cgroup-rule", "a *:* rwm"),
    *("--cgroupns", "host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw"),
)


def image() -> str:
    """The image of a node, made if it is not there."""
    files = sorted(path for path in FOLDER.iterdir() if path.name in ("Dockerfile", "start"))
    recipe = hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()
    name = f"cumulus-rig-node:{recipe[:12]}"
    if not image_id(name):
        base = make_base(SUITE, BASE)
        docker("build", "--build-arg", f"BASE={base}", "--tag", name, str(FOLDER), timeout_s=BUILD_S)
    return name


def name_servers(image: str) -> str:
    """The name servers that a container on this machine's default bridge is given."""
    config = docker("run", "--rm", "--entrypoint", "cat", image, "/etc/resolv.conf")
    servers = [line.split()[1] for line in config.splitlines() if line.startswith("nameserver ")]
    return " ".join(server for server in servers if ":" not in server)


def options(container: str, host: str, rig: str, sockets: Path, number: int, dns: str) -> list[str]:
    """``docker run``'s options for the node ``number`` of a rig."""
    data = f"type=volume,source={container}-data,target=/var/lib/docker,volume-label=io.cumulus.rig={rig}"
    settings = {
        "NODE": host,
        "GROUP": str(os.getgid()),
        # None of these may be the default bridge's own addresses: the relay is to be reached there.
        "BRIDGE": f"10.214.{number}.1/24",
        "POOL": "10.215.0.0/16",
        "DNS": dns,
    }
    return [
        *("--detach", "--init", "--name", container, "--hostname", host),
        *RIGHTS,
        *("--tmpfs", "/run", "--mount", data, "--volume", f"{sockets}:/sockets"),
        *(word for name, value in settings.items() for word in ("--env", f"{name}={value}")),
    ]


def make_base(suite: str, base: str) -> str:
    """See to the image that a host's is made of; its name."""
    try:
        done = subprocess.run(
            [_MAKE_BASE, suite, base], capture_output=True, text=True, timeout=BUILD_S, check=False
        )
    except FileNotFoundError as error:
        raise DockerFailed([str(_MAKE_BASE)], str(error)) from None
    if done.returncode:
        raise DockerFailed([str(_MAKE_BASE), suite, base], done.stderr)
    return base
