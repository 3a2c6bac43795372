"""Tasks, which is what Swarm calls the one run of a service: how they are and how they ended. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..base import InstanceStatus
from ..containers import words
from ..containers.environments import BUILDER
from ..containers.plan import attempt_of
from .nodes import Node
from .services import IMAGE

Key = tuple[str, int]

_MIB = 2**20
_ENDED = frozenset({"complete", "failed", "rejected", "shutdown", "orphaned", "remove"})
#: Before it has a node.
_WAITING = frozenset({"new", "allocated", "pending"})
#: Before its container is there, for which its node may have to pull the image.
_PREPARING = _WAITING | {"assigned", "accepted", "preparing", "ready"}
_SIGKILL = 137
NO_IMAGE = "No such image: "
#: An image that is named by its id, which no registry is asked for.
BY_ID = "sha256:"


@dataclass(frozen=True)
class Task:
    """The newest task of one attempt's service."""

    key: Key
    #: Id of its node; empty while it has none.
    node: str
    state: str
    #: What Swarm wants it to come to.
    desired: str
    error: str = ""
    exit_code: int | None = None
    #: The image's name.
    image: str = ""
    #: What the service calls the image, which may be its id.
    called: str = ""
    memory_mib: int = 0
    created: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.state in _ENDED

    @property
    def waiting(self) -> bool:
        """Whether Swarm has found no node for it yet."""
        return self.state in _WAITING

    @property
    def begun(self) -> bool:
        """Whether its node has made a container of the image."""
        return self.state not in _PREPARING and self.state != "rejected"

    @property
    def leaving(self) -> bool:
        """Whether its service was removed."""
        return self.desired == "remove"

    @property
    def lacks_image_by_id(self) -> bool:
        """Whether it ended for want of an image that the node may have under its name."""
        return (
            self.state == "rejected" and self.error.startswith(NO_IMAGE + BY_ID) and self.called != self.image
        )


def builder_key(name: str) -> Key:
    """The key of a builder of environments: attempts count from 1."""
    return name, 0


def is_builder(key: Key) -> bool:
    """Whether this is a builder's key, not an attempt's."""
    return key[1] == 0


def parse(listed: Iterable[Mapping[str, Any]]) -> dict[Key, Task]:
    """The newest task of each attempt and builder among what ``GET /tasks`` answers."""
    newest: dict[Key, Task] = {}
    for each in listed:
        task = _task(each)
        if task is not None and (task.key not in newest or newest[task.key].created < task.created):
            newest[task.key] = task
    return newest


def _task(listed: Mapping[str, Any]) -> Task | None:
    spec = listed.get("Spec") or {}
    container = spec.get("ContainerSpec") or {}
    labels = container.get("Labels") or {}
    key = builder_key(labels[BUILDER]) if BUILDER in labels else attempt_of(labels)
    if key is None:
        return None
    status = listed.get("Status") or {}
    ended = status.get("State") in _ENDED
    limits = (spec.get("Resources") or {}).get("Limits") or {}
    return Task(
        key=key,
        node=listed.get("NodeID", ""),
        state=status.get("State", ""),
        desired=listed.get("DesiredState", ""),
        error=status.get("Err", ""),
        exit_code=(status.get("ContainerStatus") or {}).get("ExitCode") if ended else None,
        image=labels.get(IMAGE) or container.get("Image", ""),
        called=container.get("Image", ""),
        memory_mib=int(limits.get("MemoryBytes") or 0) // _MIB,
        created=listed.get("CreatedAt", ""),
    )


def status(task: Task, node: Node | None, worker: str) -> InstanceStatus:
    """How the attempt is. ``node`` is the task's node where it is still in the Swarm, ``worker`` its name."""
    if task.ended:
        return _end(task, worker)
    if task.node and node is None:
        return InstanceStatus(False, message=f"the worker {worker} has left the Swarm")
    if node is not None and node.down:
        return is_down(worker)
    return InstanceStatus(True)


def is_down(worker: str) -> InstanceStatus:
    """Of what ran on a worker that is gone."""
    return InstanceStatus(False, message=f"the worker {worker} is down")


def no_place(task: Task, worker: str) -> InstanceStatus:
    """Of what Swarm has found no place for, for too long."""
    if "insufficient resources" in task.error:
        why = "what else runs there in the Swarm has reserved the memory or CPUs that the job asks for"
    else:
        why = task.error or "it has not said why"
    return InstanceStatus(False, message=f"Swarm did not place it on the worker {worker}: {why}")


def _end(task: Task, worker: str) -> InstanceStatus:
    code = task.exit_code
    if task.state == "complete":
        return InstanceStatus(False, code or 0, "the runner has ended")
    if task.state == "rejected":
        return _rejection(task, worker)
    if task.state == "orphaned":
        return is_down(worker)
    if task.state == "failed" and not code and task.error:
        return InstanceStatus(False, message=f"the worker {worker} could not run it: {task.error}")
    if code == _SIGKILL:
        message = (
            f"the container was killed (SIGKILL), by hand or at its memory limit of {task.memory_mib} MiB"
        )
        return InstanceStatus(False, -9, message)
    if task.state in ("shutdown", "remove") and not code:
        return InstanceStatus(False, code, f"the container was ended on the worker {worker}")
    message = words.of_end(code, oom=False, image=task.image, memory_mib=task.memory_mib)
    exit_code = 128 - code if code and code > 128 else code
    return InstanceStatus(False, exit_code, message, words.advice(code))


def _rejection(task: Task, worker: str) -> InstanceStatus:
    folder = words.missing_folder(task.error)
    if folder:
        return InstanceStatus(False, message=words.no_daemon(folder, worker).message)
    if NO_IMAGE not in task.error:
        return InstanceStatus(False, message=f"The worker {worker} refused the container: {task.error}")
    return InstanceStatus(
        False,
        message=f"The worker {worker} has no image {task.image} and could not pull it",
        next="Bring it there: the line of %cumulus add-worker, run there again, brings the job images of the"
        " relay; docker load or a registry that the worker can reach, any other. And check its name.",
    )
