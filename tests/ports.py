"""Ports for servers that are told where to listen, and started a while later."""

from __future__ import annotations

import random
import socket

#: Below those that the kernel hands out by itself, to whoever connects or listens meanwhile.
_PORTS = range(10_240, 32_768)


def free_port() -> int:
    """A port of this machine that nobody has at the moment."""
    while True:
        port = random.SystemRandom().choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
