"""The addresses at which each executor's runners reach the relay, opened as they are needed."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cumulus_jupyter.protocol.errors import CumulusError

from ..executors.base import Executor, ExecutorUnavailable
from ..reconcile.launch import Address
from .certificate import Certificate
from .listener import Listener
from .ports import Ports

if TYPE_CHECKING:
    from ..relay.service import Relay

log = logging.getLogger(__name__)

#: What Docker Desktop's containers call the machine around its own virtual one.
DESKTOP = "host.docker.internal"
_ADDRESS_S = 30.0


@dataclass(frozen=True)
class Door:
    """A listener, and what runners must know of it."""

    host: str
    listener: Listener
    address: Address


class Doors:
    """One door for each way in which executors' runners reach the relay.

    "bridge" is plain HTTP that does not leave this machine; "network" is HTTPS with a certificate of the
    relay's own. Neither is ever on all addresses.
    """

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._config = relay.config
        self._ports = Ports(relay.config.state_dir)
        self._doors: dict[str, Door] = {}
        self._turn = asyncio.Lock()

    async def address(self, executor: Executor) -> Address:
        """How this executor's runners reach the relay. Raises ``ExecutorUnavailable`` where they cannot."""
        if not executor.reach:
            return Address(self._relay.url, str(self._relay.state.relay_file))
        if self._config.runner_url:
            return Address(self._config.runner_url.rstrip("/") + "/")
        door = self._doors.get(executor.reach)
        if door is not None:
            return door.address  # ``trouble`` is asked at every look at the workers, and moves it
        async with self._turn:
            return await self._open(executor)

    async def trouble(self, executor: Executor) -> str:
        """Why this executor's runners cannot reach the relay, and what to do; empty where they can."""
        try:
            if not executor.reach or self._config.runner_url:
                return ""
            async with self._turn:
                await self._open(executor)
        except CumulusError as error:
            return str(error)
        return ""

    async def close(self) -> None:
        """Close all doors. Idempotent."""
        doors, self._doors = list(self._doors.values()), {}
        for door in doors:
            await door.listener.close()

    async def _open(self, executor: Executor) -> Address:
        host = self._config.runner_host or await self._host(executor)
        door = self._doors.get(executor.reach)
        if door is not None and door.host == host:
            return door.address
        if door is not None:
            log.warning("Runners reach this relay at %s now, not at %s any more", host, door.host)
            del self._doors[executor.reach]
            await door.listener.close()
        try:
            opened = self._doors[executor.reach] = await self._door(executor.reach, host)
        except ExecutorUnavailable:
            raise
        except CumulusError as error:
            raise ExecutorUnavailable(error.message, next=error.next) from None
        except OSError as error:
            raise ExecutorUnavailable(
                f"No listener for runners could be opened on {host}: {error}",
                next="See the relay's log, or set Cumulus.runner_url.",
            ) from None
        log.info("Runners of %s reach this relay at %s", executor.name, opened.address.url)
        return opened.address

    async def _host(self, executor: Executor) -> str:
        async with asyncio.timeout(_ADDRESS_S):
            host = await executor.address()
        if not host:
            raise ExecutorUnavailable(
                f"At which address the containers of {executor.name} reach this machine is not known",
                next="Set Cumulus.runner_host to it.",
            )
        return host

    async def _door(self, reach: str, host: str) -> Door:
        listen = "127.0.0.1" if host == DESKTOP else host
        named = f"[{host}]" if ":" in host else host
        if reach == "bridge":
            listening = await asyncio.to_thread(self._ports.bind, reach, listen)
            listener = Listener(self._relay, listening)
            return Door(host, listener, Address(f"http://{named}:{listener.port}/"))
        certificate = Certificate(self._config.state_dir, host)
        pem = await asyncio.to_thread(certificate.ensure)
        port = told = self._config.runner_port
        if self._config.runner_listen:
            listen, _, forwarded = self._config.runner_listen.rpartition(":")
            listen, port = listen.strip("[]"), int(forwarded)
        listening = await asyncio.to_thread(self._ports.bind, reach, listen, port)
        listener = Listener(self._relay, listening, certificate.context())
        return Door(host, listener, Address(f"https://{named}:{told or listener.port}/", certificate=pem))
