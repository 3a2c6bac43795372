"""Tells what this host is and has, as JSON: ``python3 -m cumulus_worker.probe``."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cumulus_worker import devices, engine, mps, nvml, opencl, settings
from cumulus_worker.client import Client
from cumulus_worker.devices import Device

_VERSION = 1
#: Where images and the jobs' containers are kept, if Docker has been installed.
_CONTAINERS = "/var/lib/docker"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the probe, or with --devices its devices; the exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given not in ([], ["--json"], ["--devices"]):
        print("usage: cumulus-probe [--json | --devices]", file=sys.stderr)
        return 1
    try:
        told = for_daemon() if given == ["--devices"] else probe()
    except devices.BadDevices as error:
        print(f"cumulus-probe: CUMULUS_CHRONOS_DEVICES: {error}", file=sys.stderr)
        return 1
    print(json.dumps(told))
    return 0


def probe(environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Everything a relay asks of a worker. Raises ``BadDevices`` where given ones are none."""
    driver = nvml.ask()
    client = Client(settings.socket_path(environ))
    pipe = mps.pipe(environ)
    told = {
        "version": _VERSION,
        "hostname": platform.node(),
        "os": _system(Path("/etc/os-release")),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "cpu": float(len(os.sched_getaffinity(0))),
        "memory_mib": _memory_mib(Path("/proc/meminfo")),
        "disk_free_mib": _disk_free_mib(),
        "driver": driver.version,
        "cuda": driver.cuda,
        "devices": [asdict(device) for device in found(driver, environ)],
        "mps": {"running": bool(pipe), "pipe": pipe},
        "chronos": _chronos(client),
        "docker": _docker(client),
    }
    client.close()
    return told


def for_daemon() -> dict[str, Any]:
    """What chronosd needs of this. Raises ``BadDevices`` where given ones are none."""
    driver = nvml.ask()
    # A process of its own on a GPU would keep MPS, or a job, from it.
    exclusive = bool(driver.devices) and (driver.exclusive or bool(mps.pipe()))
    return {"devices": [asdict(device) for device in found(driver)], "exclusive": exclusive}


def found(driver: nvml.Driver, environ: Mapping[str, str] = os.environ) -> tuple[Device, ...]:
    """Those that are given, else NVIDIA's, else OpenCL's. Raises ``BadDevices``."""
    if given := settings.given_devices(environ):
        return devices.read(given)
    return driver.devices or tuple(opencl.devices())


def _chronos(client: Client) -> dict[str, Any]:
    told = client.ask(["version"])
    version, running = told["answer"], told["exit"] == 0
    return {
        "running": running,
        "backend": version.get("backend", "") if running else "",
        "version": version.get("version", "") if running else "",
    }


def _docker(client: Client) -> dict[str, Any]:
    try:
        return engine.facts()
    except PermissionError:
        told = client.ask(["engine"])
        return engine.NOTHING if told["exit"] else dict(told["answer"])


def _system(release: Path) -> str:
    """Such as ``debian 13``."""
    try:
        lines = release.read_text().splitlines()
    except OSError:
        return ""
    named = dict(line.split("=", 1) for line in lines if "=" in line)
    return " ".join(named.get(name, "").strip("\"'") for name in ("ID", "VERSION_ID")).strip()


def _memory_mib(file: Path) -> int:
    for line in file.read_text().splitlines():
        name, _, amount = line.partition(":")
        if name == "MemTotal":
            return int(amount.split()[0]) // 1024
    return 0


def _disk_free_mib() -> int:
    """Where jobs' containers will be; its folder is root's, so that others see the disk of its parent."""
    for folder in (_CONTAINERS, str(Path(_CONTAINERS).parent), "/"):
        try:
            return shutil.disk_usage(folder).free >> 20
        except OSError:
            continue
    return 0


if __name__ == "__main__":
    sys.exit(main())
