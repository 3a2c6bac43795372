"""A runner that is started for one job, as in a container."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.fakes.runner_relay import FakeJob, FakeRelay
from tests.patience import LIMIT_S

RUNNER = (sys.executable, "-m", "cumulus_runner")


class SingleRunner:
    """The process, and the job that it was started for."""

    def __init__(
        self,
        relay: FakeRelay,
        folder: Path,
        job: FakeJob,
        command: Sequence[str] = RUNNER,
        env: dict[str, str] | None = None,
        **assigned: Any,
    ) -> None:
        self.job = relay.add(job)
        self.folder = folder
        self.file = folder / f"{job.id}.json"
        self.file.write_text(json.dumps({**assignment(relay, job, folder), **assigned}))
        self._log = folder / f"{job.id}.log"
        with open(self._log, "wb") as log:
            self.process = subprocess.Popen(
                [*command, "--assignment", str(self.file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(env or {})},
                cwd=folder,
            )

    def wait(self) -> int:
        """Wait for its end; the exit status."""
        return self.process.wait(LIMIT_S)

    @property
    def said(self) -> str:
        """What it has written itself."""
        return self._log.read_text()


def assignment(relay: FakeRelay, job: FakeJob, folder: Path) -> dict[str, Any]:
    """What an executor hands the runner of a container."""
    return {
        "job_id": job.id,
        "attempt": job.attempt,
        "claim_token": job.claim_token,
        "url": relay.url,
        "workdir": str(folder / "job" / "workspace"),
        "environments_dir": "",
        "contained": True,
        "grace_s": 5.0,
    }


def run_alone(relay: FakeRelay, folder: Path, source: str, **options: Any) -> FakeJob:
    """Run a cell in a runner of its own, to the ends of both."""
    given = {key: options.pop(key) for key in ("command", "env") if key in options}
    assigned = options.pop("assigned", {})
    program = {"source": source, **options.pop("program", {})}
    runner = SingleRunner(relay, folder, FakeJob(program, **options), **given, **assigned)
    status = runner.wait()
    assert (status, runner.said) == (0, ""), runner.said
    return runner.job
