"""Engine, Swarm and image of a bench, and a relay that runs its jobs there."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cumulus_jupyter import CumulusClient
from tests.homes import Home, wait_for
from tests.rig import Rig, provision
from tests.rig.docker import lines

from .shell import new_shell, run

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
ENGINE = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
PUT_AWAY_S = 300.0
LINE = "here"
#: The job that says it.
SAY_LINE = f"def say():\n    print({LINE!r}, flush=True)\n"


def image() -> str:
    """The slim job image, built where it is not there."""
    provision.engine()
    name = provision.job_images().slim
    provision.build(name)
    return name


@contextlib.contextmanager
def swarm(image: str) -> Iterator[Rig]:
    """A Swarm whose workers have the image: the one that is up, else one for as long as this lasts."""
    rig = Rig()
    was_up = rig.is_up()
    rig.up()
    rig.load(image)
    try:
        yield rig
    finally:
        if not was_up:
            rig.down()


@contextlib.contextmanager
def client(**settings: Any) -> Iterator[CumulusClient]:
    """A client whose relay, in this bench's own home, has these settings, and leaves nothing at the end."""
    home = Home(Path.home())
    home.state_dir.mkdir(parents=True)
    (home.state_dir / "cumulus.yaml").write_text(json.dumps(settings))
    with CumulusClient() as client:
        try:
            yield client
        finally:
            for job in client.jobs(limit=1000):
                if not job.done():
                    job.cancel()
            # The relay ends with the bench, and what it has not put away by then would stay.
            relay = f"label=io.cumulus.relay={client.health().relay_id}"
            assert wait_for(lambda: not _left(settings, relay), PUT_AWAY_S, 0.2)


def _left(settings: dict[str, Any], relay: str) -> list[str]:
    if "swarm_host" in settings:
        return lines("service", "ls", "--quiet", "--filter", relay, host=settings["swarm_host"])
    return lines("ps", "--all", "--quiet", "--filter", relay, host=settings["docker_host"])


def defined(source: str) -> Callable[..., Any]:
    """A function of a notebook, which travels by its source."""
    shell = new_shell()
    run(shell, source)
    function: Callable[..., Any] = shell.user_ns[source.partition("(")[0].removeprefix("def ")]
    return function


def first_line_ms(client: CumulusClient, say: Callable[..., Any]) -> float:
    """Milliseconds from the submission to the job's first line here; returns once the job has ended."""
    begin = time.perf_counter()
    job = client.submit(say)
    seen_ms = 0.0
    for event in job.events():
        if not seen_ms and LINE in getattr(event, "text", ""):
            seen_ms = (time.perf_counter() - begin) * 1e3
    assert seen_ms, f"nothing was printed: {job.view.message}"
    return seen_ms
