"""SSH from the relay to its workers: the relay's own key, and connections to hosts whose key is pinned.

Nothing of the relay's user counts here: no agent, no configuration file, no known hosts but the one key.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cumulus_jupyter.protocol.errors import InvalidArgument

from ..partitions.remote import Unreachable

if TYPE_CHECKING:
    import asyncssh

    from ..config import RelayConfig

__all__ = ["Host", "connect", "ensure_key", "probe"]

#: Seconds between two signs of life on a quiet connection, and how many may be missed.
_KEEPALIVE_S, _KEEPALIVES = 5, 3
_ALGORITHM = "ssh-ed25519"
_ADD_AGAIN = "Run the line that %cumulus add-worker prints on that host again."


@dataclass(frozen=True)
class Host:
    """Where a worker's SSH answers, and how it is known."""

    address: str
    port: int = 22
    user: str = "cumulus"
    #: The only key to trust, as "ssh-ed25519 AAAA...".
    host_key: str = ""

    @property
    def where(self) -> str:
        """For people."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def ensure_key(config: RelayConfig) -> tuple[Path, str]:
    """The relay's private key, as a file, and its public line; made when it is first needed.

    Raises ``InvalidArgument`` where the file that ``ssh_key`` names cannot be used.
    """
    import asyncssh

    own = config.state_dir / "ssh-key"
    file = Path(config.ssh_key).expanduser() if config.ssh_key else own
    if file == own and not own.exists():
        _make_key(own)
    try:
        key = asyncssh.read_private_key(file)
    except (OSError, asyncssh.KeyImportError) as error:
        raise InvalidArgument(
            f"The relay's SSH key {file} cannot be used: {error}",
            next="Name a private key without a passphrase as Cumulus.ssh_key, or leave that out.",
        ) from None
    algorithm, data = key.export_public_key().decode().split()[:2]
    return file, f"{algorithm} {data}"


def _make_key(file: Path) -> None:
    import asyncssh

    key = asyncssh.generate_private_key(_ALGORITHM, comment="cumulus relay")
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(key.export_private_key())
        os.fsync(opened.fileno())
    fresh.replace(file)


async def connect(host: Host, key: Path, timeout_s: float) -> asyncssh.SSHClientConnection:
    """A connection that is kept alive. Raises ``Unreachable``, which says why in words."""
    import asyncssh

    try:
        trusted = asyncssh.import_public_key(host.host_key)
        async with asyncio.timeout(timeout_s):
            return await asyncssh.connect(
                host.address,
                host.port,
                username=host.user,
                config=None,
                known_hosts=([trusted], [], []),
                x509_trusted_certs=None,
                client_keys=[asyncssh.read_private_key(key)],
                agent_path=None,
                gss_host=None,
                preferred_auth="publickey",
                password_auth=False,
                kbdint_auth=False,
                keepalive_interval=_KEEPALIVE_S,
                keepalive_count_max=_KEEPALIVES,
                login_timeout=timeout_s,
            )
    except TimeoutError:
        why = f"its SSH at {host.where} did not answer within {timeout_s:g} s"
        raise Unreachable(why, next=_look_at(host)) from None
    except asyncssh.HostKeyNotVerifiable:
        why = f"the SSH host key at {host.where} is not the one that it was added with"
        raise Unreachable(why, next=f"If that host was set up anew: {_ADD_AGAIN}") from None
    except asyncssh.PermissionDenied:
        why = f"its SSH at {host.where} does not accept the relay's key for the user {host.user}"
        raise Unreachable(why, next=_ADD_AGAIN) from None
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise Unreachable(f"an SSH key cannot be used: {error}", next=_ADD_AGAIN) from None
    except (OSError, asyncssh.Error) as error:
        why = f"its SSH at {host.where} cannot be reached: {_short(error)}"
        raise Unreachable(why, next=_look_at(host)) from None


async def probe(host: Host, key: Path, timeout_s: float) -> dict[str, Any]:
    """What the host's ``probe`` tells, over a connection of its own. Raises ``Unreachable``."""
    import asyncssh

    connection = await connect(host, key, timeout_s)
    try:
        async with asyncio.timeout(timeout_s):
            done = await connection.run("probe", stdin=asyncssh.DEVNULL)
        told = json.loads(str(done.stdout))
        if done.exit_status == 0 and isinstance(told, dict):
            return told
        why = str(done.stderr).strip() or f"it ended with status {done.exit_status}"
    except TimeoutError:
        why = f"it did not answer within {timeout_s:g} s"
    except ValueError:
        why = str(done.stderr).strip() or "it printed no JSON"
    except (OSError, asyncssh.Error) as error:
        why = _short(error)
    finally:
        connection.abort()
    raise Unreachable(f"`probe` at {host.where} failed: {why}", next=_ADD_AGAIN)


def _look_at(host: Host) -> str:
    return f"See that sshd runs there, and that this machine may connect to {host.where}."


def _short(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        # What asyncio puts in its place repeats the address, as Python writes a tuple.
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
