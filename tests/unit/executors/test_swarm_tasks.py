"""What the tasks of a Swarm say of attempts."""

from __future__ import annotations

from typing import Any

import pytest

from cumulus_server.executors.base import InstanceStatus
from cumulus_server.executors.swarm import tasks
from cumulus_server.executors.swarm.nodes import Node

NODE = Node("n1", "gpu-1", "ready", "active", False, 4.0, 8192)
DOWN = Node("n1", "gpu-1", "down", "active", False, 4.0, 8192)


def task(
    state: str = "running",
    *,
    error: str = "",
    exit_code: int = 0,
    node: str = "n1",
    image: str = "img:1",
    job: str = "j1",
    created: str = "2026-01-01T00:00:00Z",
    desired: str = "complete",
) -> dict[str, Any]:
    """As ``GET /tasks`` has it."""
    labels = {"io.cumulus.job": job, "io.cumulus.attempt": "1", "io.cumulus.image": "img:1"}
    return {
        "ID": "t1",
        "NodeID": node,
        "CreatedAt": created,
        "DesiredState": desired,
        "Spec": {
            "ContainerSpec": {"Image": image, "Labels": labels},
            "Resources": {"Limits": {"MemoryBytes": 256 * 2**20}},
        },
        "Status": {"State": state, "Err": error, "ContainerStatus": {"ExitCode": exit_code}},
    }


def status(node: Node | None = NODE, **of: Any) -> InstanceStatus:
    (found,) = tasks.parse([task(**of)]).values()
    return tasks.status(found, node, "gpu-1")


@pytest.mark.parametrize("state", ["new", "pending", "assigned", "preparing", "starting", "running"])
def test_it_is_alive_until_it_has_ended(state: str) -> None:
    assert status(state=state).alive


def test_a_runner_that_is_done() -> None:
    assert status(state="complete") == InstanceStatus(False, 0, "the runner has ended")


def test_out_of_memory_or_killed() -> None:
    found = status(state="failed", error="task: non-zero exit (137)", exit_code=137)
    assert found.exit_code == -9
    assert "SIGKILL" in found.message and "memory limit of 256 MiB" in found.message


def test_an_image_without_python() -> None:
    found = status(state="failed", error="task: non-zero exit (127)", exit_code=127)
    assert "The image img:1 has no python3" in found.message


def test_an_exit_status() -> None:
    found = status(state="failed", error="task: non-zero exit (3)", exit_code=3)
    assert (found.exit_code, found.message) == (3, "the container exited with status 3")


def test_an_image_that_is_not_on_the_worker() -> None:
    found = status(state="rejected", error="No such image: img:1", desired="shutdown")
    assert "The worker gpu-1 has no image img:1" in found.message and "docker load" in found.next


def test_an_image_that_is_lacking_by_its_id_may_be_there_by_name() -> None:
    lacking = task("rejected", error="No such image: sha256:12", image="sha256:12")
    (found,) = tasks.parse([lacking]).values()
    assert found.lacks_image_by_id
    (by_name,) = tasks.parse([task("rejected", error="No such image: img:1")]).values()
    assert not by_name.lacks_image_by_id


def test_any_other_refusal_is_told_as_it_is() -> None:
    found = status(state="rejected", error="invalid mount config")
    assert found.message == "The worker gpu-1 refused the container: invalid mount config"


def test_what_holds_shares_may_have_gone() -> None:
    error = 'invalid mount config for type "bind": bind source path does not exist: /tmp/nvidia-mps'
    found = status(state="rejected", error=error)
    said = "The folder /tmp/nvidia-mps of the MPS daemon is not there any more on the worker gpu-1"
    assert found.message == said and not found.next  # another worker may have it


def test_a_container_that_could_not_be_started() -> None:
    found = status(state="failed", error="starting container failed: no space left on device")
    assert "gpu-1 could not run it: starting container failed" in found.message


@pytest.mark.parametrize("state", ["pending", "running"])
def test_what_runs_on_a_worker_that_is_down_has_ended(state: str) -> None:
    assert status(DOWN, state=state) == InstanceStatus(False, message="the worker gpu-1 is down")


def test_what_ended_before_its_worker_went_down_keeps_its_end() -> None:
    assert status(DOWN, state="complete").exit_code == 0


def test_a_worker_that_has_left() -> None:
    assert status(None).message == "the worker gpu-1 has left the Swarm"


def test_what_swarm_finds_no_place_for() -> None:
    error = "no suitable node (insufficient resources on 1 node)"
    (found,) = tasks.parse([task("pending", error=error, node="")]).values()
    assert found.waiting and tasks.status(found, None, "gpu-1").alive
    said = tasks.no_place(found, "gpu-1").message
    assert "did not place it on the worker gpu-1" in said and "reserved the memory or CPUs" in said


def test_the_newest_task_of_an_attempt_counts() -> None:
    old = task("rejected", error="No such image: sha256:12", created="2026-01-01T00:00:00Z")
    new = task("running", created="2026-01-01T00:00:02Z")
    assert tasks.parse([new, old])["j1", 1].state == "running"
    assert tasks.parse([old, new])["j1", 1].state == "running"


def test_tasks_of_others_are_passed_by() -> None:
    foreign = task()
    del foreign["Spec"]["ContainerSpec"]["Labels"]
    assert tasks.parse([foreign, {"ID": "t2", "Spec": {}}, task(job="j2")]).keys() == {("j2", 1)}


def test_builders_of_environments_are_told_from_attempts() -> None:
    builder = task()
    labels = {"io.cumulus.role": "environment", "io.cumulus.builder": "cumulus-environment-1"}
    builder["Spec"]["ContainerSpec"]["Labels"] = labels
    found = tasks.parse([builder, task()])
    assert found.keys() == {("cumulus-environment-1", 0), ("j1", 1)}
    assert [tasks.is_builder(key) for key in found] == [True, False]
