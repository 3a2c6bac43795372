"""A container that is a worker's host as far as bookings go: sshd, the user, and Chronos on PoCL."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

from tests.patience import LIMIT_S
from tests.rig import node
from tests.rig.docker import docker, image_id

_ROOT = Path(__file__).resolve().parents[3]
_RECIPE = Path(__file__).with_name("host") / "Dockerfile"
_IMAGES = _ROOT / "job-image"

#: What is done on a host before anything can be booked: the package is put there, and its commands.
_SET_UP = """
set -e
cp -r /package/cumulus_worker /opt/cumulus/worker/
cd /opt/cumulus/worker && python3 -c 'from cumulus_worker import launchers; launchers.install()'
"""
_AUTHORIZE = """
import sys; sys.path.insert(0, "/opt/cumulus/worker")
from cumulus_worker import launchers
print(launchers.authorized_key(sys.argv[1]))
"""
_AUTHORIZED_KEYS = "/var/lib/cumulus/home/.ssh/authorized_keys"


def image() -> str:
    """The host's image, made if it is not there."""
    recipe = hashlib.sha256(_RECIPE.read_bytes()).hexdigest()[:12]
    name = f"cumulus-worker-host:{recipe}"
    if image_id(name):
        return name
    subprocess.run([_IMAGES / "make-base", node.SUITE, node.BASE], check=True, timeout=node.BUILD_S)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(_RECIPE, folder)
        pip = Path(folder, "pip")
        pip.mkdir()
        subprocess.run([sys.executable, _IMAGES / "pip-settings", pip], check=True, timeout=LIMIT_S)
        docker("build", "--build-arg", f"BASE={node.BASE}", "--tag", name, folder, timeout_s=node.BUILD_S)
    return name


class Host:
    """One such container."""

    def __init__(self) -> None:
        self.name = f"cumulus-worker-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        package = f"{_ROOT / 'worker-setup'}:/package:ro"
        docker("run", "--detach", "--init", "--name", self.name, "--volume", package, image())
        self.sh(_SET_UP)
        self.address = docker(
            "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", self.name
        )
        self.host_key = self.sh("cat /etc/ssh/ssh_host_ed25519_key.pub")

    def remove(self) -> None:
        """Remove it, with all that is in it."""
        docker("rm", "--force", self.name)

    def sh(self, script: str, *, user: str = "root") -> str:
        """What a script prints there. Raises ``DockerFailed`` where it fails."""
        return docker("exec", "--user", user, self.name, "sh", "-c", script)

    def try_(self, *command: str, user: str = "root") -> subprocess.CompletedProcess[str]:
        """A command there, however it ends."""
        call = ["docker", "exec", "--user", user, self.name, *command]
        return subprocess.run(call, capture_output=True, text=True, timeout=LIMIT_S, check=False)

    def cli(self, line: str, *, user: str = "cumulus") -> dict[str, Any]:
        """The JSON answer to a command line of chronos_cli."""
        said = self.try_("chronos_cli", "--json", *line.split(), user=user).stdout
        answer: dict[str, Any] = json.loads(said)
        return answer

    def start_daemon(self) -> None:
        """Start chronosd, and wait until it listens."""
        docker("exec", "--detach", self.name, "sh", "-c", "exec /opt/cumulus/worker/chronosd >>/tmp/log 2>&1")
        self.sh("until chronos_cli version >/dev/null 2>&1; do sleep 0.1; done")

    def daemon(self) -> int:
        """The daemon's process id there."""
        return int(self.sh("pgrep -f '^[^ ]*python -I [^ ]*/chronosd$'"))

    def kill_daemon(self, signal: str = "KILL") -> None:
        """End chronosd, and wait until it is gone."""
        number = self.daemon()
        self.sh(f"kill -{signal} {number}; while [ -e /proc/{number} ]; do sleep 0.05; done")

    def authorize(self, public_key: str) -> None:
        """Let the relay's key in, through the gate."""
        line = self.try_("python3", "-c", _AUTHORIZE, public_key).stdout.strip()
        self.sh(f"mkdir -p {Path(_AUTHORIZED_KEYS).parent}; echo '{line}' >{_AUTHORIZED_KEYS}")
