"""One line makes a fresh host a worker that runs a job on half a GPU; another takes it back."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from tests.homes import Home, wait_for
from tests.patience import LIMIT_S
from tests.rig import Rig
from tests.rig.docker import docker

from .containers import TIDY_S
from .onboarding import CELL, LINE_S, PORTS, SCRIPT, onboarding

pytestmark = pytest.mark.timeout(3000)


def test_one_line_makes_a_fresh_host_a_worker(
    home: Home, rig: Rig, job_image: str, record_property: Callable[[str, object], None]
) -> None:
    with onboarding(home, rig, job_image, "fresh") as joining:
        before = joining.packages()
        line = joining.line("--opencl")
        began = time.monotonic()
        done = joining.run(line)
        record_property("log", done.output)
        assert done.status == 0, done.output
        ready_s = time.monotonic() - began
        shown = joining.kernel.run(CELL)
        assert not shown.error, shown.traceback
        job_s = time.monotonic() - began
        assert shown.result == "45"

        (job,) = joining.jobs()
        assert (job["state"], job["executor"], job["worker"]) == ("COMPLETED", "swarm", "fresh")
        assert [device["used_tenths"] for device in job["devices"]] == [5]
        record_property("ready_s", ready_s)
        record_property("job_s", job_s)
        assert wait_for(lambda: not joining.bookings(), TIDY_S, 0.2), joining.bookings()
        record_property("released", True)

        # What the host is now: nobody else's way in, and no secret where others read.
        assert joining.open_ports() <= PORTS
        kept = joining.run("stat -c %a /etc/cumulus/worker.json; cat /var/log/cumulus-setup.log").output
        assert kept.startswith("600\n")
        token = line.partition("--token ")[2].split()[0]
        key = joining.run("cat /etc/cumulus/worker.json").output.partition('"session_key": "')[2][:64]
        assert len(key) == 64
        for secret in (token, key, "SWMTKN"):
            assert secret not in kept + done.output

        # Once more, by a line whose token has been used: it is the same worker, and nothing is installed.
        done = joining.run(line)
        assert done.status == 0, done.output
        assert "installing docker.io" not in done.output
        assert "pocl" not in done.output
        assert joining.workers()["fresh"]["devices"]

        done = joining.leave()
        assert done.status == 0, done.output
        assert joining.packages() == before
        left = joining.run("ls -d /etc/cumulus /opt/cumulus /var/lib/cumulus /var/lib/docker/*; id cumulus")
        assert not re.search(r"^/|uid=", left.output, re.MULTILINE), left.output
        assert wait_for(lambda: "fresh" not in joining.workers(), LIMIT_S, 0.2)

        # Its token is used up, and another one lets it join again; without --opencl it has no device.
        done = joining.run(line)
        assert done.status == 1
        assert "used" in done.output, done.output
        assert joining.packages() == before
        done = joining.run(joining.line())
        assert done.status == 0, done.output
        assert wait_for(lambda: "fresh" in joining.workers(), LIMIT_S, 0.2)
        assert not joining.workers()["fresh"]["devices"]


def test_a_rented_container_is_refused_at_once(rig: Rig) -> None:
    host = rig.add_host("rented", rented=True)
    try:
        docker("cp", str(SCRIPT), f"{host.container}:/tmp/setup-worker.sh")
        done = host.ssh("bash /tmp/setup-worker.sh --relay https://192.0.2.1 --token t", LINE_S)
    finally:
        rig.remove_host("rented")
    assert done.status == 1
    said = done.output.splitlines()
    assert said[-2] == "cumulus: This host cannot run Docker: it is a container without CAP_SYS_ADMIN."
    assert "virtual machine" in said[-1]
