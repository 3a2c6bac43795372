"""The relay's way in: an SSH server, and a user whose only key may run ``chronos_cli`` and ``probe``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cumulus_worker import launchers
from cumulus_worker.setup import state
from cumulus_worker.setup.services import has_systemd
from cumulus_worker.setup.telling import Failed, run

USER = "cumulus"
HOME = Path("/var/lib/cumulus")
HOST_KEY = Path("/etc/ssh/ssh_host_ed25519_key")
_SSHD = "/usr/sbin/sshd"


@dataclass(frozen=True)
class SshServer:
    """What this host's sshd says of itself."""

    port: int
    settings: Mapping[str, Sequence[str]]

    @classmethod
    def ask(cls) -> SshServer:
        """Read its configuration as it understands it."""
        # It wants that folder even to tell its settings.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        settings: dict[str, list[str]] = {}
        for line in run(_SSHD, "-T").splitlines():
            name, _, value = line.partition(" ")
            settings.setdefault(name.lower(), []).append(value)
        return cls(int(settings.get("port", ["22"])[0]), settings)

    def obstacle(self) -> str:
        """Why nobody could come in as the user, "" where one can."""
        if self.settings.get("pubkeyauthentication", ["yes"])[0] != "yes":
            return "PubkeyAuthentication is off"
        for name in ("allowusers", "allowgroups"):
            allowed = self.settings.get(name)
            if allowed and USER not in " ".join(allowed).split():
                return f"{name} does not name {USER}"
        return ""


def make(terms: str) -> None:
    """Make the user with the relay's key, and see to sshd. May be done again."""
    key = state.read_terms(terms)["ssh"]["public_key"]
    _make_user()
    _write(HOME / ".ssh" / "authorized_keys", launchers.authorized_key(key) + "\n")
    _serve_ssh()
    if obstacle := SshServer.ask().obstacle():
        raise Failed(
            f"This host's SSH server lets the relay's user in by no key: {obstacle}",
            next=f"Change that in /etc/ssh/sshd_config for the user {USER}, then run the same line again.",
        )


def _make_user() -> None:
    # Root's, so that the user can't give itself another key; sshd accepts that.
    for folder in (HOME, HOME / ".ssh"):
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        folder.chmod(0o755)
        os.chown(folder, 0, 0)
    if not _known("group"):
        run("groupadd", "--system", USER)
    if not _known("passwd"):
        # An account that is locked ("!") is refused with a key too; one without a password ("*") is not.
        run("useradd", "--system", "--gid", USER, "--home-dir", str(HOME), "--no-create-home",
            "--shell", "/bin/sh", "--password", "*", USER)  # fmt: skip


def _known(database: str) -> bool:
    return bool(run("getent", database, USER, allowed=(0, 2)))


def _serve_ssh() -> None:
    if not HOST_KEY.exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(HOST_KEY))
    if has_systemd():
        run("systemctl", "enable", "--now", "ssh")
    elif not _runs("sshd"):
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        if Path("/etc/init.d/ssh").exists():
            run("service", "ssh", "start")
        else:
            run(_SSHD)


def _runs(name: str) -> bool:
    for comm in Path("/proc").glob("[0-9]*/comm"):
        try:
            if comm.read_text().strip() == name:
                return True
        except OSError:
            continue
    return False


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text)
    fresh.chmod(0o644)
    fresh.replace(path)
