"""The service that is made for an attempt."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from cumulus_jupyter.protocol.resources import Resources
from cumulus_server.executors.base import StartRequest
from cumulus_server.executors.containers.environments import builder_plan
from cumulus_server.executors.containers.plan import ContainerPlan, plan
from cumulus_server.executors.containers.settings import ContainerConfig
from cumulus_server.executors.swarm import services
from cumulus_server.executors.swarm.services import File, service

REQUEST = StartRequest(
    "j1", 2, "very-secret", "http://10.0.0.1:1/", "", "gpu-1",
    resources=Resources(memory_mib=512, cpu=1.5), env={"CHRONOS": "p1"},
)  # fmt: skip
SECRET, LUGGAGE = File("s1", "cumulus-j1-2"), File("c1", "cumulus-runner")


def planned(request: StartRequest = REQUEST) -> ContainerPlan:
    return plan(request, ContainerConfig("r1", Path("/nowhere"), user="1234:99"), "img:1", 8192, 4.0)


def test_it_is_one_run_on_one_node() -> None:
    made = service(planned(), "n1", secret=SECRET, luggage=LUGGAGE)
    assert made["Name"] == "cumulus-j1-2"
    assert made["Mode"] == {"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 1}}
    template = made["TaskTemplate"]
    assert template["RestartPolicy"] == {"Condition": "none", "MaxAttempts": 0}
    assert template["Placement"] == {"Constraints": ["node.id==n1"]}
    assert "Networks" not in template and "Networks" not in made and "EndpointSpec" not in made


def test_it_is_labelled_inside_and_out() -> None:
    made = service(planned(), "n1", secret=SECRET, luggage=LUGGAGE)
    labels = {
        "io.cumulus.relay": "r1", "io.cumulus.job": "j1", "io.cumulus.attempt": "2", "io.cumulus.role": "job"
    }  # fmt: skip
    container = made["TaskTemplate"]["ContainerSpec"]
    assert made["Labels"] == labels
    assert container["Labels"] == {**labels, services.IMAGE: "img:1"}
    assert container["Mounts"][0]["VolumeOptions"]["Labels"] == labels


def test_it_is_hardened() -> None:
    container = service(planned(), "n1", secret=SECRET, luggage=LUGGAGE)["TaskTemplate"]["ContainerSpec"]
    assert container["CapabilityDrop"] == ["ALL"] and "CapabilityAdd" not in container
    assert container["Privileges"] == {"NoNewPrivileges": True}
    assert container["ReadOnly"] is True and container["Init"] is True
    assert container["User"] == "1234:99"
    assert container["Healthcheck"] == {"Test": ["NONE"]}


def test_limits_are_set_and_only_what_was_asked_for_is_reserved() -> None:
    asked = service(planned(), "n1", secret=SECRET, luggage=LUGGAGE)["TaskTemplate"]["Resources"]
    assert asked["Limits"] == {"MemoryBytes": 512 * 2**20, "NanoCPUs": 1_500_000_000, "Pids": 4096}
    assert asked["Reservations"] == {"MemoryBytes": 512 * 2**20, "NanoCPUs": 1_500_000_000}
    plain = planned(replace(REQUEST, resources=Resources()))
    limits = service(plain, "n1", secret=SECRET, luggage=LUGGAGE)["TaskTemplate"]["Resources"]
    assert limits["Limits"] == {"MemoryBytes": 8192 * 2**20, "NanoCPUs": 4_000_000_000, "Pids": 4096}
    assert limits["Reservations"] == {"MemoryBytes": 0, "NanoCPUs": 0}


def test_the_assignment_is_a_secret_that_only_the_job_reads() -> None:
    container = service(planned(), "n1", secret=SECRET, luggage=LUGGAGE)["TaskTemplate"]["ContainerSpec"]
    (secret,) = container["Secrets"]
    assert (secret["SecretID"], secret["SecretName"]) == ("s1", "cumulus-j1-2")
    assert secret["File"] == {
        "Name": "/run/cumulus/assignment.json", "UID": "1234", "GID": "99", "Mode": 0o400
    }  # fmt: skip
    assert "very-secret" not in json.dumps(service(planned(), "n1", secret=SECRET, luggage=LUGGAGE))
    assert json.loads(planned().assignment)["claim_token"] == "very-secret"


def test_the_runner_and_certificates_are_configs() -> None:
    ca_bundle = File("c2", "cumulus-ca")
    made = service(planned(), "n1", secret=SECRET, luggage=LUGGAGE, ca_bundle=ca_bundle)
    configs = made["TaskTemplate"]["ContainerSpec"]["Configs"]
    assert [(each["ConfigID"], each["File"]["Name"], each["File"]["Mode"]) for each in configs] == [
        ("c1", "/run/cumulus/runner.zip", 0o444),
        ("c2", "/run/cumulus/ca.pem", 0o444),
    ]


def test_the_grace_leaves_time_to_report() -> None:
    container = service(planned(), "n1", secret=SECRET, luggage=LUGGAGE)["TaskTemplate"]["ContainerSpec"]
    assert container["StopGracePeriod"] == 7_000_000_000


def test_environments_are_mounted_to_be_read() -> None:
    wanted = replace(planned(), environments=True)
    made = service(wanted, "n1", secret=SECRET, luggage=LUGGAGE, environments="shared")
    mounts = made["TaskTemplate"]["ContainerSpec"]["Mounts"]
    (shared,) = [mount for mount in mounts if mount.get("Source") == "shared"]
    assert shared["ReadOnly"] is True and shared["Target"] == "/run/cumulus/environments"
    anonymous = [mount for mount in mounts if mount["Target"] == "/tmp"]
    assert [mount.get("Source") for mount in anonymous] == [None]
    without = service(planned(), "n1", secret=SECRET, luggage=LUGGAGE, environments="shared")
    assert "shared" not in json.dumps(without)


def test_what_holds_a_share_is_seen_inside() -> None:
    pipe = "/tmp/nvidia-mps"
    wanted = planned(replace(REQUEST, mounts=[(pipe, pipe), ("/run/nvidia/mps/shm", "/dev/shm")]))
    mounts = service(wanted, "n1", secret=SECRET, luggage=LUGGAGE)["TaskTemplate"]["ContainerSpec"]["Mounts"]
    assert {"Type": "bind", "Source": pipe, "Target": pipe} in mounts
    at_shm = [mount for mount in mounts if mount["Target"] == "/dev/shm"]
    assert at_shm == [{"Type": "bind", "Source": "/run/nvidia/mps/shm", "Target": "/dev/shm"}]


def test_a_builder_writes_where_jobs_read() -> None:
    config = ContainerConfig("0123456789", Path("/nowhere"), user="1234:99")
    wanted = builder_plan("img:1", ["six"], config, "n1")
    made = service(wanted, "n1", secret=SECRET, luggage=LUGGAGE, environments="shared")
    job = service(planned(), "n1", secret=SECRET, luggage=LUGGAGE)["TaskTemplate"]["ContainerSpec"]
    container = made["TaskTemplate"]["ContainerSpec"]
    mounts = {mount["Target"]: mount for mount in container["Mounts"]}
    labels = {"io.cumulus.relay": "0123456789", "io.cumulus.role": "environment"}
    assert mounts.keys() == {"/tmp", "/run/cumulus/environments"}
    for mount in mounts.values():
        assert mount["Source"] == "shared" and not mount.get("ReadOnly")
        assert mount["VolumeOptions"]["Labels"] == labels
    assert made["Labels"] == {**labels, "io.cumulus.builder": made["Name"]}
    assert made["Name"] != builder_plan("img:1", ["six"], config, "n2").name and len(made["Name"]) <= 63
    hardening = ("User", "Init", "ReadOnly", "CapabilityDrop", "Privileges", "Healthcheck")
    assert all(container[each] == job[each] for each in hardening)
    assert made["TaskTemplate"]["Placement"] == {"Constraints": ["node.id==n1"]}
    assert made["TaskTemplate"]["Resources"]["Limits"]["MemoryBytes"] == 2048 * 2**20


def test_an_image_by_id_can_be_had_by_name_again() -> None:
    made = service(planned(), "n1", secret=SECRET, luggage=LUGGAGE, image="sha256:12")
    assert made["TaskTemplate"]["ContainerSpec"]["Image"] == "sha256:12"
    again = services.by_name(made)
    assert again is not None and again["TaskTemplate"]["ContainerSpec"]["Image"] == "img:1"
    assert made["TaskTemplate"]["ContainerSpec"]["Image"] == "sha256:12"
    assert services.by_name(again) is None
