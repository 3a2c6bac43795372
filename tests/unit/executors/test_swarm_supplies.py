"""What all services of a relay refer to."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cumulus_server.executors.base import StartFailed
from cumulus_server.executors.containers.settings import ContainerConfig
from cumulus_server.executors.swarm import supplies
from cumulus_server.executors.swarm.manager import config_name


def test_the_runner_fits_into_a_config_and_runs_from_it(tmp_path: Path) -> None:
    fingerprint, packed = supplies.pack(tmp_path / "runner.zip")
    assert len(packed) < 1_000_000
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.testzip() is None
        assert archive.read("FINGERPRINT").decode() == fingerprint
    (tmp_path / "small.zip").write_bytes(packed)
    command = [sys.executable, "-I", str(tmp_path / "small.zip"), "--help"]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


def test_equal_luggage_makes_equal_configs(tmp_path: Path) -> None:
    assert supplies.pack(tmp_path / "a.zip") == supplies.pack(tmp_path / "b.zip")


def test_a_configs_name_is_not_too_long() -> None:
    assert len(config_name("runner", "r" * 99, "f" * 99)) <= 64


def test_images_of_no_registry_are_called_by_their_id() -> None:
    listed = [
        {"Id": "sha256:1", "RepoTags": ["own:1"], "RepoDigests": []},
        {"Id": "sha256:2", "RepoTags": ["pulled:1"], "RepoDigests": ["pulled@sha256:9"]},
        {"Id": "sha256:3", "RepoTags": ["odd:1"], "RepoDigests": ["<none>@<none>"]},
        {"Id": "sha256:4", "RepoTags": None, "RepoDigests": None},
    ]
    assert supplies.ids_of(listed) == {"own:1": "sha256:1", "odd:1": "sha256:3"}


def test_images_are_assumed_where_the_manager_has_none(tmp_path: Path) -> None:
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert supplies.assumed_images(ContainerConfig("r", tmp_path)) == {own: f"cumulus-job:py{own}"}
    named = ContainerConfig("r", tmp_path, images={"3.9": "mine:9"})
    assert supplies.assumed_images(named) == {"3.9": "mine:9"}


def test_certificates_that_cannot_be_read_say_which_setting(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="container_ca_bundle"):
        supplies._read(tmp_path / "nowhere.pem")
    (tmp_path / "large.pem").write_bytes(b"x" * 1_000_000)
    with pytest.raises(StartFailed, match="too large"):
        supplies._read(tmp_path / "large.pem")
