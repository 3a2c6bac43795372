"""What the relay's SSH key may do on a worker: its forced command, and its line of authorized_keys."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

#: One line, with nothing in it that sshd would read as an option.
_PUBLIC_KEY = re.compile(r"(ssh-(ed25519|rsa)|ecdsa-sha2-nistp\d+) [A-Za-z0-9+/]+={0,3}( [\w.@:+-]*)?")
_PLAIN_PATH = re.compile(r"/[\w./+-]+")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# The words are split at blanks and expanded in no way; nothing of the caller's environment goes on.
_SCRIPT = """#!/bin/sh
# Written by Cumulus. The relay's SSH key may run these words and nothing else.
set -f
IFS=' '
set -- $SSH_ORIGINAL_COMMAND
case ${{1:-}} in
    chronos_cli) shift; exec env -i {environment} {chronos_cli} "$@" ;;
    probe) shift; exec env -i {environment} {probe} "$@" ;;
    true) [ $# -gt 1 ] || exit 0 ;;
esac
echo "This key may run chronos_cli, probe and true, and nothing else. For more, log in as another user." >&2
exit 126
"""


def script(chronos_cli: str, probe: str, environment: Mapping[str, str] | None = None) -> str:
    """The forced command, as a script; ``environment`` is all that the commands get besides a PATH."""
    settings = {"PATH": _PATH, "LANG": "C.UTF-8", **(environment or {})}
    return _SCRIPT.format(
        environment=" ".join(shlex.quote(f"{name}={value}") for name, value in settings.items()),
        chronos_cli=shlex.quote(chronos_cli),
        probe=shlex.quote(probe),
    )


def authorized_key(public_key: str, gate: str) -> str:
    """The line of authorized_keys for the relay's key: the script at ``gate``, no terminal, no tunnels."""
    if not _PUBLIC_KEY.fullmatch(public_key.strip()):
        raise ValueError(f"this is not one line with a public SSH key: {public_key!r}")
    if not _PLAIN_PATH.fullmatch(gate):
        raise ValueError(f"a path for authorized_keys may have letters, digits and . _ / + - only: {gate!r}")
    return f'restrict,command="{gate}" {public_key.strip()}'
