"""Requirements in a container: installed ahead from wheels, or privately where nothing can be written."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from cumulus_runner import installer
from cumulus_runner.environment import environment_key
from tests.fakes.runner_relay import FakeRelay
from tests.fakes.single_runner import RUNNER, run_alone
from tests.integration.runner.test_requirements import make_wheel
from tests.patience import LIMIT_S

OFFLINE = {"UV_OFFLINE": "1", "PIP_NO_INDEX": "1"}
SOURCE = "import cumulus_ahead\nprint(cumulus_ahead.__file__)"


def _build(tmp_path: Path, *requirements: str) -> tuple[int, str]:
    """Order an environment; the exit status, and what was said."""
    order = {"requirements": requirements, "folder": str(tmp_path / "shared"), "env": OFFLINE}
    (tmp_path / "order.json").write_text(json.dumps(order))
    command = [*RUNNER, "--build-environment", str(tmp_path / "order.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, env=dict(os.environ))
    return done.returncode, done.stderr


def test_built_ahead_and_used(relay: FakeRelay, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "cumulus_ahead")
    assert _build(tmp_path, wheel)[0] == 0 == _build(tmp_path, wheel)[0]
    shared = tmp_path / "shared"
    job = run_alone(relay, tmp_path, SOURCE, requirements=[wheel], assigned={"environments_dir": str(shared)})
    assert job.text("stdout").startswith(str(shared / environment_key([wheel])))
    assert not job.of_type("progress")


def test_installed_privately_where_nothing_can_be_written(relay: FakeRelay, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "cumulus_ahead")
    assigned = {"environments_dir": "/proc/cumulus", "env": OFFLINE}
    job = run_alone(relay, tmp_path, SOURCE, requirements=[wheel], assigned=assigned)
    assert job.text("stdout").startswith(str(tmp_path / "job" / "environments"))


@pytest.mark.parametrize("line", ["-e .", "./folder", "x @ https://example.invalid/x.tar.gz", "x.tar.gz/"])
def test_what_would_have_to_be_built_is_not_built_for_all(tmp_path: Path, line: str) -> None:
    status, said = _build(tmp_path, line)
    assert status == 1 and "only wheels" in said and line in said


def test_what_does_not_exist_is_told(tmp_path: Path) -> None:
    status, said = _build(tmp_path, "cumulus-no-such-distribution")
    assert status == 1 and "could not be installed" in said


def test_a_python_without_pip_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installer.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(installer.glob, "glob", lambda pattern: [])
    with pytest.raises(installer.NoInstaller, match="has no pip"):
        installer._pip()
