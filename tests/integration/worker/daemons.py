"""The daemon as a process of its own, and its command line as another."""

from __future__ import annotations

import grp
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.patience import LIMIT_S

DEVICES = json.dumps([{"uuid": "GPU-a", "name": "Simulated", "memory_mib": 1000}, {"uuid": "GPU-b"}])
_PACKAGE = Path(__file__).resolve().parents[3] / "worker-setup"


class Daemon:
    """chronosd on a ledger and a socket in a test's folder."""

    def __init__(self, folder: Path, devices: str = DEVICES) -> None:
        self.folder = folder
        self.socket = folder / "run" / "chronosd.sock"
        self.ledger = folder / "lib" / "ledger.json"
        self.log = folder / "log"
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(_PACKAGE),
            "CUMULUS_CHRONOS_SOCKET": str(self.socket),
            "CUMULUS_CHRONOS_LEDGER": str(self.ledger),
            "CUMULUS_CHRONOS_DEVICES": devices,
            "NOTIFY_SOCKET": str(folder / "notify"),
            "CUMULUS_CHRONOS_GROUP": grp.getgrgid(os.getgid()).gr_name,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def spawn(self) -> subprocess.Popen[bytes]:
        """A process of the daemon, however it may go on."""
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "cumulus_worker.chronosd"]
            return subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)

    def start(self) -> None:
        """Start it, and wait until it says that it is ready, as a service's manager does."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
            address = self.folder / "notify"
            address.unlink(missing_ok=True)
            notified.bind(str(address))
            notified.settimeout(LIMIT_S)
            self.process = self.spawn()
            assert notified.recv(100) == b"READY=1", self.log.read_text()

    def kill(self) -> None:
        """As by the kernel when memory runs out."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """As by the service's manager; the exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        if self.process is None:
            return 0
        self.process.send_signal(number)
        status = self.process.wait(LIMIT_S)
        self.process = None
        return status

    def open_cli(self, *words: str) -> subprocess.Popen[str]:
        """A chronos_cli that is spoken with."""
        pipe = subprocess.PIPE
        command = [sys.executable, "-m", "cumulus_worker.chronos_cli", *words]
        return subprocess.Popen(
            command, env=self.environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )

    def cli(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What ``chronos_cli WORDS`` does and says."""
        process = self.open_cli(*words)
        out, err = process.communicate(timeout=LIMIT_S)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def ask(self, line: str) -> dict[str, Any]:
        """The JSON answer to a command line."""
        answer: dict[str, Any] = json.loads(self.cli("--json", *line.split()).stdout)
        return answer
