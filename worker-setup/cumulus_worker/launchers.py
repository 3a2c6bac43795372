"""Puts the package's commands where they are called from, and says how the daemon is run as a service.

``setup-worker.sh`` calls this; everything may be done again. It also undoes it.
"""

from __future__ import annotations

import compileall
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cumulus_worker import gate, settings

#: The service's name, for systemd and for init scripts.
SERVICE = "cumulus-chronosd"
_COMMANDS = "/usr/local/bin"

# -I: nothing of the caller's environment or folder is imported. -S: no site-packages, where none are needed.
_LAUNCHER = """#!{python} {options}
# Written by Cumulus.
import sys
sys.path.insert(0, {root!r})
from cumulus_worker.{module} import main
sys.exit(main())
"""

_UNIT = """[Unit]
Description=Bookings of GPU shares for Cumulus
After=local-fs.target nvidia-persistenced.service
# It is to be there again as soon as it can be, however often that takes.
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={command}
Restart=always
RestartSec=1
RuntimeDirectory=cumulus
RuntimeDirectoryMode=0755
StateDirectory=cumulus/chronos
StateDirectoryMode=0700
UMask=0077
NoNewPrivileges=yes
ProtectHome=yes
ProtectSystem=full
# No PrivateTmp: MPS is reached there.

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Installed:
    """Where the commands are."""

    chronosd: Path
    chronos_cli: Path
    probe: Path
    #: The forced command of the relay's SSH key.
    gate: Path


def places(root: str = settings.ROOT, commands: str = _COMMANDS) -> Installed:
    """Where the commands are, or would be."""
    return Installed(
        chronosd=Path(root, "chronosd"),
        chronos_cli=Path(commands, "chronos_cli"),
        probe=Path(commands, "cumulus-probe"),
        gate=Path(root, "gate"),
    )


def install(
    root: str = settings.ROOT, commands: str = _COMMANDS, environment: Mapping[str, str] | None = None
) -> Installed:
    """Write the commands for the package in ``root``; again, too. ``environment`` is what the gate sets."""
    there = places(root, commands)
    environment_python = Path(root, "venv", "bin", "python")
    own = str(environment_python) if environment_python.exists() else _python()
    _write(there.chronosd, _LAUNCHER.format(python=own, options="-I", root=root, module="chronosd"))
    _write(there.probe, _LAUNCHER.format(python=own, options="-I", root=root, module="probe"))
    _write(
        there.chronos_cli, _LAUNCHER.format(python=_python(), options="-IS", root=root, module="chronos_cli")
    )
    _write(there.gate, gate.script(str(there.chronos_cli), str(there.probe), environment))
    # Whoever runs the commands may not write here; without this they would be compiled at each call.
    compileall.compile_dir(str(Path(root, "cumulus_worker")), quiet=2)
    return there


def unit(root: str = settings.ROOT) -> str:
    """The text of ``/etc/systemd/system/cumulus-chronosd.service``."""
    return _UNIT.format(command=places(root).chronosd)


def authorized_key(public_key: str, root: str = settings.ROOT) -> str:
    """The line of authorized_keys by which the relay's key may use the gate. Raises ``ValueError``."""
    return gate.authorized_key(public_key, str(places(root).gate))


def _python() -> str:
    """The host's own interpreter: its path stays when it is upgraded."""
    system = "/usr/bin/python3"
    return system if os.path.samefile(system, sys.executable) else sys.executable


def _write(path: Path, text: str) -> None:
    """All at once: it may be running."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text)
    beside.chmod(0o755)
    beside.replace(path)
