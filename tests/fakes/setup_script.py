"""``setup-worker.sh`` without a host: its functions in a bash of their own, with a folder to keep things."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.patience import LIMIT_S

SCRIPT = Path(__file__).resolve().parents[2] / "worker-setup" / "setup-worker.sh"

class Script:
    """Runs code with the script's functions; the commands in ``commands`` come before this host's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "etc"
        self.commands = folder / "commands"
        for made in (self.state, self.commands, folder / "work"):
            made.mkdir()

    def command(self, name: str, text: str) -> None:
        """Let a command be this text of a shell's."""
        path = self.commands / name
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)

    def run(self, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run code after the script has been read; its standard error comes with its output."""
        return subprocess.run(
            ["bash", "-c", f'. "{SCRIPT}"\n{self._places()}\n{code}'],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    def _places(self) -> str:
        return "\n".join(
            [
                f"work={self.folder}/work STATE={self.state} ROOT={self.folder}/opt LOG={self.folder}/log",
                f"SOCKET={self.folder}/no-engine PATH={self.commands}:$PATH",
                f"TOOLKIT_KEY={self.folder}/key TOOLKIT_LIST={self.folder}/list",
            ]
        )
