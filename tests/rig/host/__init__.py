"""A fresh host of the rig: its image, how its container is run, and root's way in by SSH."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from tests.patience import LIMIT_S
from tests.rig import node
from tests.rig.docker import DockerFailed, docker, image_id

FOLDER = Path(__file__).resolve().parent
#: Debian's releases, and the image that the host's is made of.
BASES = {"trixie": node.BASE, "bookworm": "cumulus-base:py3.11"}
_PIP_SETTINGS = FOLDER.parents[2] / "job-image" / "pip-settings"
_BRIDGE = "10.214.100.1/24"
_POOL = "10.215.0.0/16"
_SSH_PORT = 22
_CONNECT_S = LIMIT_S


@dataclass(frozen=True)
class Ended:
    """How a command on a host ended, and all it wrote."""

    status: int
    output: str


@dataclass(frozen=True)
class Host:
    """A host that is there."""

    name: str
    container: str
    address: str
    #: Root's private key, as a file.
    key: Path
    host_key: str

    def ssh(self, command: str, timeout_s: float = 300.0) -> Ended:
        """Run a command line as root, over SSH."""
        return asyncio.run(self._run(command, timeout_s))

    async def _run(self, command: str, timeout_s: float) -> Ended:
        known = asyncssh.import_known_hosts(f"{self.address} {self.host_key}")
        async with asyncio.timeout(timeout_s):
            async with asyncssh.connect(
                self.address,
                username="root",
                client_keys=[str(self.key)],
                known_hosts=known,
                agent_path=None,
                config=None,
                connect_timeout=_CONNECT_S,
            ) as connection:
                done = await connection.run(command, stdin=asyncssh.DEVNULL, stderr=asyncssh.STDOUT)
        return Ended(-1 if done.exit_status is None else done.exit_status, str(done.stdout))


def image(suite: str = "trixie") -> str:
    """The image of a fresh host, made if it is not there."""
    with tempfile.TemporaryDirectory() as scratch:
        context = Path(scratch)
        for name in ("Dockerfile", "start"):
            shutil.copy2(FOLDER / name, context)
        (context / "pip").mkdir()
        subprocess.run([sys.executable, _PIP_SETTINGS, context / "pip"], check=True, timeout=LIMIT_S)
        settings = context / "pip" / "pip.conf"
        settings.write_text(settings.read_text() + "cert = /etc/ssl/pip.pem\n")
        files = sorted(path for path in context.rglob("*") if path.is_file())
        recipe = hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()
        name = f"cumulus-rig-host:{suite}-{recipe[:12]}"
        if not image_id(name):
            base = node.make_base(suite, BASES[suite])
            order = ("build", "--build-arg", f"BASE={base}", "--tag", name, str(context))
            docker(*order, timeout_s=node.BUILD_S)
    return name


def make_key(path: Path) -> str:
    """A key pair, its private half in a file; the public half."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    key.write_private_key(str(path))
    return key.export_public_key().decode().strip()


def options(container: str, name: str, rig: str, key: Path, suite: str, *, rented: bool) -> list[str]:
    """The end of ``docker run``'s command line for a host, whose root's key goes into a file."""
    made = image(suite)
    data = f"type=volume,source={container}-data,target=/var/lib/docker,volume-label=io.cumulus.rig={rig}"
    settings = {"KEY": make_key(key), "BRIDGE": _BRIDGE, "POOL": _POOL, "DNS": node.name_servers(made)}
    return [
        *("--detach", "--init", "--name", container, "--hostname", name),
        *(() if rented else (*node.RIGHTS, "--mount", data)),
        *("--tmpfs", "/run"),
        *(word for variable, value in settings.items() for word in ("--env", f"{variable}={value}")),
        made,
    ]


def remove(container: str, key: Path) -> None:
    """Remove a host's container, its images and its key. Idempotent."""
    for command in (
        ("rm", "--force", "--volumes", container),
        ("volume", "rm", "--force", f"{container}-data"),
    ):
        with contextlib.suppress(DockerFailed):
            docker(*command)
    key.unlink(missing_ok=True)


def answers(address: str) -> bool:
    """Whether an SSH server answers there."""
    with (
        contextlib.suppress(OSError),
        socket.create_connection((address, _SSH_PORT), timeout=10.0) as connection,
    ):
        return connection.recv(4) == b"SSH-"
    return False


def host_key(container: str) -> str:
    """The public half of the host's SSH key. Raises ``DockerFailed`` before there is one."""
    line = docker("exec", container, "cat", "/etc/ssh/ssh_host_ed25519_key.pub")
    kind, _, rest = line.partition(" ")
    if kind != "ssh-ed25519":
        raise DockerFailed(["cat", "ssh_host_ed25519_key.pub"], line)
    return f"{kind} {rest.split()[0]}"
