"""An account with the provider's stand-in, and the dev scripts run against it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
LIMIT_S = 400.0
#: The pip settings of whoever called, before a test was given a home of its own.
_OUTSIDE = dict(os.environ)
OFFERS = [
    {"id": 41, "dph_total": 0.2, "cpu_cores_effective": 8.0, "cpu_ram": 32_000, "geolocation": "Oslo, NO"},
    {"id": 42, "dph_total": 0.1234, "cpu_cores_effective": 3.9, "cpu_ram": 15_900, "geolocation": "Rome, IT"},
]


@dataclass(frozen=True)
class Said:
    """What a script has said, and how it has ended."""

    status: int
    out: str
    err: str


@dataclass
class Account:
    """What the stand-in knows, in its file; the folders and the key of one user of the scripts."""

    folder: Path
    #: Of the environment that scripts are run with.
    more: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """An account with a key, credit and two offers, of which nothing has been rented yet."""
        (self.folder / "bin").mkdir(parents=True)
        command = self.folder / "bin" / "vastai"
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {ROOT}/tests/fakes/vastai.py "$@"\n')
        command.chmod(0o755)
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me", "-f", str(self.key)]
        subprocess.run(make, check=True)
        self.file.write_text(
            json.dumps(
                {
                    "api_key": "known",
                    "credit": True,
                    "ssh_keys": [{"id": 1, "key": self.public_key, "user_id": 5}],
                    "offers": OFFERS,
                    "taken": [],
                    "answer_lost": False,
                    "lists": True,
                    "remark": "",
                    "instances": {},
                    "comes_up": "running",
                    "destroys": True,
                    "container": "",
                    "public": "",
                    "calls": [],
                }
            )
        )

    @property
    def file(self) -> Path:
        """Where the stand-in keeps it."""
        return self.folder / "account.json"

    @property
    def key(self) -> Path:
        """The user's private key."""
        return self.folder / "id_ed25519"

    @property
    def public_key(self) -> str:
        """The line that a host must know."""
        return self.key.with_suffix(".pub").read_text().strip()

    @property
    def dev(self) -> Path:
        """Where the scripts keep what they know."""
        return self.folder / "dev"

    def known(self) -> dict[str, str]:
        """What .dev-instance says."""
        file = self.dev / ".dev-instance"
        lines = file.read_text().splitlines() if file.exists() else []
        return dict(line.split("=", 1) for line in lines)

    def told(self) -> dict[str, Any]:
        """The account as it is."""
        told: dict[str, Any] = json.loads(self.file.read_text())
        return told

    def set(self, **changed: Any) -> None:
        """Change the account."""
        self.file.write_text(json.dumps({**self.told(), **changed}))

    def calls(self, *words: str) -> list[list[str]]:
        """The calls of the stand-in that began with these words."""
        return [call for call in self.told()["calls"] if call[: len(words)] == list(words)]

    def environment(self) -> dict[str, str]:
        """What the scripts are run with: nothing of the user's but what pip needs."""
        kept = {name: value for name, value in _OUTSIDE.items() if not name.startswith(("DOCKER_", "SSH_"))}
        return {
            **kept,
            "DOCKER_CONFIG": str(self.folder / "docker"),
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "CUMULUS_DEV_DIR": str(self.dev),
            "CUMULUS_DEV_EVERY_S": "0.1",
            "FAKE_VASTAI": str(self.file),
            **self.more,
        }

    def run(self, script: str, *arguments: str) -> Said:
        """Run a script, with nobody to ask."""
        done = subprocess.run(
            [ROOT / "scripts" / script, *arguments],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)
