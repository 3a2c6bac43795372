"""What a job's container is to be, before any is made."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cumulus_jupyter.protocol.resources import Resources
from cumulus_server.executors.base import StartRequest
from cumulus_server.executors.containers import plan
from cumulus_server.executors.containers.environments import builder_plan, volume_name
from cumulus_server.executors.containers.plan import ContainerPlan
from cumulus_server.executors.containers.settings import ContainerConfig, default_slots, parse_user
from cumulus_server.executors.docker.rendering import CDI, Sources, container

CONFIG = ContainerConfig("relay-1", Path("/state"))
REQUEST = StartRequest("job-1", 2, "the-token", "http://172.17.0.1:1/", "", "docker", env={"A": "1"})
SOURCES = Sources("/state/a.json", "/state/runner.zip", "", "the-volume")


def planned(config: ContainerConfig = CONFIG, **asked: Any) -> ContainerPlan:
    return plan.plan(replace(REQUEST, **asked), config, "image", 8000, 4.0)


def mounts(made: ContainerPlan, sources: Sources = SOURCES) -> dict[str, dict[str, Any]]:
    return {mount["Target"]: mount for mount in container(made, sources)["HostConfig"]["Mounts"]}


def test_name_and_labels_lead_back_to_the_attempt() -> None:
    made = planned()
    assert made.name == "cumulus-job-1-2"
    assert plan.attempt_of(made.labels) == ("job-1", 2)
    assert made.labels["io.cumulus.relay"] == "relay-1"


@pytest.mark.parametrize(
    "labels",
    [{}, {"io.cumulus.job": "j"}, {"io.cumulus.job": "j", "io.cumulus.attempt": "x"},
     {"io.cumulus.job": "j", "io.cumulus.attempt": "1", "io.cumulus.role": "environment"}],
)  # fmt: skip
def test_labels_of_something_else(labels: dict[str, str]) -> None:
    assert plan.attempt_of(labels) is None


def test_limits_are_always_set() -> None:
    whole = planned()
    assert (whole.memory_mib, whole.nano_cpus, whole.pids) == (8000, 4_000_000_000, 4096)
    assert (whole.reserved_memory_bytes, whole.reserved_nano_cpus) == (0, 0)
    asked = planned(resources=Resources(memory_mib=500, cpu=1.5))
    assert (asked.memory_mib, asked.nano_cpus) == (500, 1_500_000_000)
    assert (asked.reserved_memory_bytes, asked.reserved_nano_cpus) == (500 * 2**20, 1_500_000_000)
    assert planned(replace(CONFIG, memory_mib=700)).memory_mib == 700
    assert planned(resources=Resources(memory_mib=1)).memory_mib == 6  # what engines take at least


def test_the_assignment_has_the_secrets_and_the_container_has_none() -> None:
    config = replace(CONFIG, env={"PIP_INDEX_URL": "http://user:password@index/"}, ca_bundle="/etc/ca.pem")
    made = planned(config, certificate="PEM", requirements=["six"])
    told = json.loads(made.assignment)
    assert (told["claim_token"], told["contained"], told["relay_certificate"]) == ("the-token", True, "PEM")
    assert told["env"]["CUMULUS_JOB_ID"] == "job-1" and told["env"]["A"] == "1"
    assert told["env"]["PIP_CERT"] == told["env"]["SSL_CERT_FILE"] == "/run/cumulus/ca.pem"
    assert told["env"]["UV_DEFAULT_INDEX"] == config.env["PIP_INDEX_URL"]
    body = json.dumps(container(made, SOURCES))
    assert "the-token" not in body and "password" not in body
    assert set(made.environment) == {"HOME", "TMPDIR", "LANG", "NVIDIA_VISIBLE_DEVICES"}


def test_what_is_said_to_pip_is_said_to_uv() -> None:
    said = {"PIP_EXTRA_INDEX_URL": "http://a http://b", "PIP_FIND_LINKS": "x y", "UV_FIND_LINKS": "z"}
    env = plan.job_environment(replace(CONFIG, env=said))
    assert env["UV_INDEX"] == "http://a http://b" and env["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert env["UV_FIND_LINKS"] == "z"  # unless it is told otherwise


def test_mounts_of_a_job_are_read_only_but_for_its_own() -> None:
    found = mounts(
        plan.plan(REQUEST, CONFIG, "image", 1, 1, environments=True), replace(SOURCES, ca_bundle="/c")
    )
    assert not found.pop("/tmp").get("ReadOnly")
    assert {target: mount["ReadOnly"] for target, mount in found.items()} == {
        "/run/cumulus/runner.zip": True,
        "/run/cumulus/assignment.json": True,
        "/run/cumulus/ca.pem": True,
        "/run/cumulus/environments": True,
    }
    assert "/run/cumulus/environments" not in mounts(planned())


def test_a_builder_writes_where_jobs_read() -> None:
    made = builder_plan("image", ["six"], replace(CONFIG, env={"PIP_INDEX_URL": "x"}))
    found = mounts(made)
    assert found["/tmp"]["Source"] == found["/run/cumulus/environments"]["Source"] == "the-volume"
    assert not found["/run/cumulus/environments"].get("ReadOnly")
    wanted = json.loads(made.assignment)
    assert (wanted["requirements"], wanted["folder"]) == (["six"], "/run/cumulus/environments")
    assert wanted["env"]["PIP_INDEX_URL"] == "x"
    assert plan.attempt_of(made.labels) is None and made.labels["io.cumulus.role"] == "environment"
    assert volume_name("0123456789") == "cumulus-environments-01234567"


def test_gpus_by_their_ids_alone() -> None:
    made = plan.plan(REQUEST, CONFIG, "image", 1, 1, gpus=["GPU-1", "GPU-2"])
    assert made.environment["NVIDIA_VISIBLE_DEVICES"] == "GPU-1,GPU-2"
    (by_runtime,) = container(made, SOURCES)["HostConfig"]["DeviceRequests"]
    assert by_runtime["DeviceIDs"] == ["GPU-1", "GPU-2"] and by_runtime["Driver"] == "nvidia"
    (by_cdi,) = container(made, SOURCES, CDI)["HostConfig"]["DeviceRequests"]
    assert by_cdi["DeviceIDs"] == ["nvidia.com/gpu=GPU-1", "nvidia.com/gpu=GPU-2"]


def test_what_holds_a_share_is_seen_inside() -> None:
    pipe, shm = ("/tmp/nvidia-mps", "/tmp/nvidia-mps"), ("/run/nvidia/mps/shm", "/dev/shm")
    made = planned(mounts=[pipe, shm], gpu_fraction=0.5, gpu_memory_mib=40_000)
    found = mounts(made)
    for there, inside in (pipe, shm):
        assert found[inside] == {"Type": "bind", "Source": there, "Target": inside, "ReadOnly": False}
    told = json.loads(made.assignment)
    assert (told["gpu_fraction"], told["gpu_memory_mib"]) == (0.5, 40_000)
    told = json.loads(planned().assignment)
    assert (told["gpu_fraction"], told["gpu_memory_mib"]) == (0.0, 0)


def test_jobs_are_never_root(monkeypatch: pytest.MonkeyPatch) -> None:
    assert replace(CONFIG, user="5:6").job_user == (5, 6) and replace(CONFIG, user="5").job_user == (5, 5)
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert CONFIG.job_user == (1000, 1000)
    monkeypatch.setattr(os, "getuid", lambda: 1234)
    monkeypatch.setattr(os, "getgid", lambda: 99)
    assert CONFIG.job_user == (1234, 99)
    for user in ("0", "0:0", "1000:0", "root", ""):
        with pytest.raises(ValueError):
            parse_user(user)


def test_slots_follow_the_cores() -> None:
    assert [default_slots(cores) for cores in (1, 2, 16)] == [4, 4, 32]
