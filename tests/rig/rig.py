"""A real Docker Swarm on one machine: a manager and workers, each a container with an engine of its own."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.homes import alive
from tests.patience import LIMIT_S
from tests.rig import host, node
from tests.rig.docker import DockerFailed, answers, copy_image, docker, lines

ROOT = Path(__file__).resolve().parents[2]
LABEL = "io.cumulus.rig"
MANAGER = "manager"
WORKERS = 2
_RUN = "-run"
_SWARM_PORT = 2377
_READY_S = LIMIT_S
_REMOVED_S = 5 * LIMIT_S
#: A switched-off network card: nothing in, nothing out, and nothing of the containers within.
_CUT = (("PREROUTING", "-i"), ("POSTROUTING", "-o"))


def default_name() -> str:
    """The name of this clone's rig: two clones on one machine don't meet."""
    return f"cumulus-rig-{zlib.crc32(str(ROOT).encode()):08x}"


def run_name() -> str:
    """A name for a rig of this process alone; ``forsaken`` finds those of processes that were killed."""
    return f"{default_name()}{_RUN}{os.getpid()}"


def forsaken() -> list[str]:
    """Rigs that were brought up for a process of this clone that is no longer there."""
    labels = lines("network", "ls", "--filter", f"label={LABEL}", "--format", f'{{{{.Label "{LABEL}"}}}}')
    names = {name for name in labels if name.startswith(default_name() + _RUN)}
    return sorted(name for name in names if not alive(int(name.partition(_RUN)[2].partition("-")[0])))


class RigBroken(Exception):
    """The rig is not in the state that was asked for."""


class Rig:
    """The rig of one name. Making the object starts nothing: ``up`` does.

    Workers are called ``worker1``, ``worker2``, ...: so are their hosts in Swarm, while their containers are
    ``NAME-worker1``, and so on. Every method takes either.
    """

    def __init__(self, name: str = "", workers: int = 0) -> None:
        self.name = name or default_name()
        self._asked = workers
        self._folder = sockets() / self.name
        self._lock = sockets() / f"{self.name}.lock"

    @property
    def workers(self) -> list[str]:
        """The workers that were asked for, else those that are there."""
        members = [self._short(container) for container in self._containers()]
        count = self._asked or sum(member.startswith("worker") for member in members) or WORKERS
        return [f"worker{number}" for number in range(1, count + 1)]

    @property
    def nodes(self) -> list[str]:
        """The manager, then the workers."""
        return [MANAGER, *self.workers]

    @property
    def manager_host(self) -> str:
        """Where the Swarm's API answers."""
        return self.engine(MANAGER)

    @property
    def runner_host(self) -> str:
        """The address of this machine as the containers of every worker see it."""
        return self._network()[1]

    def engine(self, member: str) -> str:
        """Where the engine of one worker, or of the manager, answers."""
        return f"unix://{self._folder / self._short(member)}.sock"

    def is_up(self) -> bool:
        """Whether every node runs and is ready in the Swarm."""
        if not answers(self.manager_host):
            return False
        with contextlib.suppress(DockerFailed):
            ready = self.ready()
            return all(member in ready and self._in_swarm(member) for member in self.nodes)
        return False

    def ready(self) -> list[str]:
        """The hosts that Swarm says are ready."""
        listed = lines("node", "ls", "--format", "{{.Hostname}} {{.Status}}", host=self.manager_host)
        return [line.split()[0] for line in listed if line.split()[-1] == "Ready"]

    def status(self) -> dict[str, str]:
        """Each node, and how it is."""
        ready = self.ready() if answers(self.manager_host) else []
        told = {self._short(container): state for container, state in self._containers().items()}
        for member in told:
            if told[member] == "running":
                told[member] = "ready" if member in ready else "not ready"
        return told

    def up(self) -> None:
        """Bring up what is not up yet; what was cut, paused or killed is as new."""
        with self._alone():
            image = node.image()
            self._folder.mkdir(parents=True, exist_ok=True)
            self._make_network()
            members = self.nodes
            there = self._containers()
            complete = all(self._container(member) in there for member in members)
            dns = "" if complete else node.name_servers(image)
            with ThreadPoolExecutor(len(members)) as pool:
                list(pool.map(lambda each: self._raise(*each, there, image, dns), enumerate(members)))
                self._make_swarm()
                token = docker("swarm", "join-token", "--quiet", "worker", host=self.manager_host)
                list(pool.map(lambda worker: self._join(worker, token), members[1:]))
            self._until(self.is_up, "not every worker is ready")

    def down(self) -> None:
        """Remove everything of this name, also what a broken-off ``up`` has left."""
        with self._alone():
            mine = ("--filter", f"label={LABEL}={self.name}")
            paused = lines("ps", "--quiet", "--filter", "status=paused", *mine)
            if paused:
                docker("unpause", *paused)
            if containers := lines("ps", "--all", "--quiet", *mine):
                docker("rm", "--force", "--volumes", *containers, timeout_s=_REMOVED_S)
            if volumes := lines("volume", "ls", "--quiet", *mine):
                docker("volume", "rm", "--force", *volumes, timeout_s=_REMOVED_S)
            if networks := lines("network", "ls", "--quiet", *mine):
                docker("network", "rm", *networks)
            shutil.rmtree(self._folder, ignore_errors=True)
            self._lock.unlink()

    def load(self, *images: str) -> None:
        """Bring images of this machine's engine to every node that lacks them."""
        for image in images:
            copy_image(image, [self.engine(member) for member in self.nodes])

    def cut(self, member: str) -> None:
        """Take a node off the network; what runs there goes on. Its engine stays in reach of ``engine()``."""
        self.mend(member)
        for chain, way in _CUT:
            self._tables(member, "--insert", chain, way)

    def mend(self, member: str) -> None:
        """Undo ``cut``; nothing to do for a node that is not cut."""
        for chain, way in _CUT:
            with contextlib.suppress(DockerFailed):
                self._tables(member, "--delete", chain, way)

    def pause(self, member: str) -> None:
        """Freeze a node with all that runs there."""
        docker("pause", self._container(member))

    def unpause(self, member: str) -> None:
        """Let a frozen node go on."""
        docker("unpause", self._container(member))

    def kill(self, member: str) -> None:
        """End a node with all that runs there, as a power cut does."""
        docker("kill", "--signal", "KILL", self._container(member))

    def start(self, member: str) -> None:
        """Start a killed node and wait until Swarm has it back."""
        docker("start", self._container(member))
        # The manager may not have noticed yet that it was away.
        self._until(
            lambda: self._in_swarm(member) and self._short(member) in self.ready(),
            f"{member} is not back in the Swarm",
        )

    def add_host(self, name: str, suite: str = "trixie", *, rented: bool = False) -> host.Host:
        """A host with nothing on it but an SSH server and curl; ``rented``: it may run no containers."""
        container, key = self._container(f"host-{name}"), self._folder / f"{name}.key"
        address = f"{self._network()[0]}.{100 + zlib.crc32(name.encode()) % 100}"
        self.remove_host(name)  # a run that was killed has left it to a rig that stays
        options = host.options(container, name, self.name, key, suite, rented=rented)
        docker("run", "--network", self.name, "--ip", address, "--label", f"{LABEL}={self.name}", *options)
        self._until(lambda: host.answers(address), f"the SSH server of {name} does not answer", container)
        return host.Host(name, container, address, key, host.host_key(container))

    def remove_host(self, name: str) -> None:
        """Remove a fresh host with all that has been made of it; nothing to do for one that is not there."""
        host.remove(self._container(f"host-{name}"), self._folder / f"{name}.key")

    def _container(self, member: str) -> str:
        return f"{self.name}-{self._short(member)}"

    def _short(self, member: str) -> str:
        return member.removeprefix(f"{self.name}-")

    def _containers(self) -> dict[str, str]:
        """Containers of this rig and their states."""
        listed = lines(
            "ps", "--all", "--filter", f"label={LABEL}={self.name}", "--format", "{{.Names}} {{.State}}"
        )
        return {name: state for name, _, state in (line.partition(" ") for line in sorted(listed))}

    def _tables(self, member: str, *rule: str) -> None:
        command = ("iptables", "--wait", "--table", "mangle", *rule, "eth0", "--jump", "DROP")
        docker("exec", self._container(member), *command)

    def _network(self) -> tuple[str, str]:
        """First three numbers of the addresses, and this machine's own address there."""
        config = json.loads(docker("network", "inspect", "--format", "{{json .IPAM.Config}}", self.name))[0]
        return config["Subnet"].rpartition(".")[0], config["Gateway"]

    def _make_network(self) -> None:
        if docker("network", "ls", "--quiet", "--filter", f"name=^{self.name}$"):
            return
        first = zlib.crc32(self.name.encode())
        for number in range(first, first + 256):
            subnet = f"10.213.{number % 256}"
            addresses = ("--subnet", f"{subnet}.0/24", "--gateway", f"{subnet}.1")
            try:
                docker("network", "create", "--label", f"{LABEL}={self.name}", *addresses, self.name)
                return
            except DockerFailed as error:
                if "overlap" not in error.said:
                    raise
        raise RigBroken("no addresses are left for one more rig: end those that nobody needs")

    def _raise(self, number: int, member: str, there: dict[str, str], image: str, dns: str) -> None:
        container = self._container(member)
        state = there.get(container)
        if state is None:
            subnet, _ = self._network()
            docker("run", *node.options(container, member, self.name, self._folder, number, dns),
                   "--network", self.name, "--ip", f"{subnet}.{2 + number}",
                   "--label", f"{LABEL}={self.name}", image)  # fmt: skip
        elif state == "paused":
            docker("unpause", container)
        elif state != "running":
            docker("start", container)
        engine = self.engine(member)
        self._until(lambda: answers(engine), f"the engine of {member} does not answer", container)
        if state is not None:
            self.mend(member)

    def _in_swarm(self, member: str) -> bool:
        state = docker("info", "--format", "{{.Swarm.LocalNodeState}}", host=self.engine(member))
        return state == "active"

    def _make_swarm(self) -> None:
        if self._in_swarm(MANAGER):
            return
        address = f"{self._network()[0]}.2"
        docker("swarm", "init", "--availability", "drain", "--advertise-addr", address,
               "--listen-addr", f"{address}:{_SWARM_PORT}", host=self.manager_host)  # fmt: skip

    def _join(self, worker: str, token: str) -> None:
        if self._in_swarm(worker):
            return
        manager = f"{self._network()[0]}.2:{_SWARM_PORT}"
        try:
            docker("swarm", "join", "--token", token, manager, host=self.engine(worker))
        except DockerFailed as error:
            if "continue in the background" not in error.said:  # what takes an engine over 20 seconds
                raise

    def _until(self, true: Callable[[], bool], otherwise: str, container: str = "") -> None:
        deadline = time.monotonic() + _READY_S
        while True:
            with contextlib.suppress(DockerFailed):  # whoever is coming up does not answer everything yet
                if true():
                    return
            ended = container and docker("inspect", "--format", "{{.State.Status}}", container) == "exited"
            if ended or time.monotonic() > deadline:
                tail = "\n" + docker("logs", "--tail", "5", container) if container else ""
                raise RigBroken(f"{self.name}: {otherwise}{tail}")
            time.sleep(0.1)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else brings this rig up or down meanwhile."""
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def sockets() -> Path:
    """Short, since the path of a socket may have no more than 107 characters."""
    user = os.getuid()
    return Path("/run/cumulus-rig" if user == 0 else f"/tmp/cumulus-rig-{user}")
