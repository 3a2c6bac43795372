"""What a job's container may do, and what it gives away: nothing that it must not."""

from __future__ import annotations

import asyncio
import json
import stat
from typing import Any

from cumulus_jupyter.protocol.resources import Resources

from .conftest import Containers

WAIT = "print('begun', flush=True)\nimport time\ntime.sleep(600)"


async def begun(containers: Containers, **asked: Any) -> Any:
    request = await containers.start(WAIT, **asked)
    await containers.world.running(request)
    return request


async def test_every_point_of_hardening_is_there(containers: Containers) -> None:
    request = await begun(containers, resources=Resources(memory_mib=256, cpu=0.5))
    found = containers.inspect(request)
    host = found["HostConfig"]
    assert (host["Memory"], host["MemorySwap"]) == (256 * 2**20, 256 * 2**20)
    assert (host["NanoCpus"], host["PidsLimit"]) == (500_000_000, 4096)
    assert host["CapDrop"] == ["ALL"] and not host["CapAdd"]
    assert host["SecurityOpt"] == ["no-new-privileges"]  # so the engine's own seccomp profile holds
    assert host["ReadonlyRootfs"] and host["Init"] and not host["Privileged"]
    assert host["RestartPolicy"]["Name"] == "no" and not host["AutoRemove"]
    assert host["LogConfig"]["Config"] == {"max-size": "1m", "max-file": "1"}
    assert host["ShmSize"] == 256 * 2**20
    assert not host["Devices"] and not host["DeviceRequests"]
    assert [host[mode] for mode in ("NetworkMode", "PidMode", "IpcMode", "UTSMode")] == [
        "bridge", "", "private", "",
    ]  # fmt: skip
    assert found["Config"]["User"] == "1000:1000"
    assert found["Config"]["Healthcheck"] == {"Test": ["NONE"]}
    mounts = {mount["Destination"]: mount for mount in found["Mounts"]}
    assert mounts.keys() == {"/tmp", "/run/cumulus/runner.zip", "/run/cumulus/assignment.json"}
    assert mounts["/tmp"]["Type"] == "volume" and mounts["/tmp"]["RW"]
    assert not any(mount["RW"] for mount in mounts.values() if mount["Type"] == "bind")


async def test_what_holds_inside(containers: Containers) -> None:
    request = await begun(containers)
    status = dict(
        line.split(":\t", 1)
        for line in containers.shell(request, "cat /proc/1/status").splitlines()
        if ":\t" in line
    )
    assert {status[f"Cap{each}"].strip("0") for each in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {""}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert status["Uid"].split() == ["1000"] * 4
    assert "Read-only file system" in containers.shell(request, "touch /anywhere 2>&1")
    assert "Read-only file system" in containers.shell(request, "touch /run/cumulus/other 2>&1")
    assert containers.shell(request, "stat -c '%a %u' /tmp").split() == ["1777", "0"]


async def test_the_token_is_nowhere_but_in_its_file(containers: Containers) -> None:
    request = await begun(containers)
    token = request.claim_token
    assert token not in json.dumps(containers.inspect(request))
    everything = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; env"
    assert token not in containers.shell(request, everything)
    assert token.encode() not in containers.world.client.api.logs(containers.name(request))
    assert containers.shell(request, "stat -c '%a %u' /run/cumulus/assignment.json").split() == [
        "400",
        "1000",
    ]
    assert token in containers.shell(request, "cat /run/cumulus/assignment.json")
    kept = [path for path in containers.world.folder.rglob("*") if path.is_file()]
    assert kept and not any(token.encode() in path.read_bytes() for path in kept)


async def test_the_files_of_the_relay_are_for_it_alone(containers: Containers) -> None:
    folder = containers.executor.config.folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "assignments").stat().st_mode) == 0o700


async def test_a_job_sees_no_gpu_it_was_not_given(containers: Containers) -> None:
    request = await begun(containers, devices=["simulated-0"])
    assert "NVIDIA_VISIBLE_DEVICES=void" in containers.inspect(request)["Config"]["Env"]


async def test_nothing_is_left_after_a_job(containers: Containers) -> None:
    api = containers.world.client.api
    request = await begun(containers)
    (volume,) = [m["Name"] for m in containers.inspect(request)["Mounts"] if m["Type"] == "volume"]
    assert api.inspect_volume(volume)
    await containers.executor.destroy(containers.executor.handle_for(request))
    assert containers.world.left() == []
    assert volume not in [found["Name"] for found in (api.volumes()["Volumes"] or [])]
    assert not list((containers.executor.config.folder / "assignments").iterdir())


async def test_containers_of_others_are_left_alone(containers: Containers) -> None:
    """Another relay's look just like ours but for the label."""
    request = await begun(containers)
    other = Containers(containers.world.folder / "other")
    other.world.folder.mkdir()
    try:
        await other.open()
        assert await other.executor.list_owned() == []
        theirs = await begun(other)
        (owned,) = await other.executor.list_owned()
        assert owned.job_id == theirs.job_id
        await containers.executor.destroy(containers.executor.handle_for(request))
        assert (await other.executor.inspect(owned.handle)).alive
    finally:
        await asyncio.shield(other.close())
