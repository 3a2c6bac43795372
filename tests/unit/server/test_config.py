"""Settings from every place, and wrong ones named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from traitlets import TraitError
from traitlets.config import Config

from cumulus_jupyter.protocol.errors import InvalidArgument
from cumulus_server.config import Cumulus, RelayConfig


def settings(tmp_path: Path, yaml: str | None = None, **traits: Any) -> RelayConfig:
    """The settings for these traitlets and this file."""
    if yaml is not None:
        (tmp_path / "cumulus.yaml").write_text(yaml)
    config = Config({"Cumulus": {"state_dir": str(tmp_path), **traits}})
    return Cumulus(config=config).settings()


def test_the_defaults_are_those_of_the_model(tmp_path: Path) -> None:
    assert settings(tmp_path) == RelayConfig(state_dir=tmp_path)


def test_the_state_folder_is_jupyters_by_default() -> None:
    assert Cumulus().settings().state_dir.parts[-2:] == ("jupyter", "cumulus")


def test_every_setting_is_a_traitlet_with_help() -> None:
    traits = Cumulus.class_traits(config=True)
    assert set(traits) - {"config_file"} == set(RelayConfig.__dataclass_fields__)
    assert all(trait.help for trait in traits.values())


def test_the_file_stands_over_the_traitlets(tmp_path: Path) -> None:
    found = settings(
        tmp_path, "history_s: 60\nprocess_pythons: [/usr/bin/python3]", history_s=5, process_slots=3
    )
    assert (found.history_s, found.process_slots, found.process_pythons) == (60, 3, ("/usr/bin/python3",))


def test_a_file_elsewhere_is_read(tmp_path: Path) -> None:
    other = tmp_path / "other.yml"
    other.write_text("grace_s: 1\nstate_dir: /elsewhere")
    found = settings(tmp_path, config_file=str(other))
    assert (found.grace_s, found.state_dir) == (1.0, Path("/elsewhere"))


@pytest.mark.parametrize(
    ("yaml", "named"),
    [
        ("histroy_s: 60", "history_s"),
        ("wholly_unknown: 1", "Known are"),
        ("history_s: long", "history_s: Expected `int`, got `str`"),
        ("history_s: -1", "at least 0"),
        ("simulated_gpus: 65", "at most 64"),
        ("allow_simulated_devices: 3", "allow_simulated_devices"),
        ("process_pythons: /usr/bin/python3", "process_pythons"),
        ("- a list", "must be a mapping"),
        ("executors: docker", "executors: Expected `array`"),
        ("job_images: [a]", "job_images: Expected `object`"),
        ("runner_port: 65536", "at most 65535"),
        ("container_pids: 1", "at least 64"),
        ("ssh_timeout_s: 0", "at least 1"),
        ("a: [", "cannot be read"),
    ],
)
def test_a_wrong_entry_of_the_file_is_named(tmp_path: Path, yaml: str, named: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        settings(tmp_path, yaml)
    assert named in str(raised.value)
    assert str(tmp_path / "cumulus.yaml") in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="no file"):
        settings(tmp_path, config_file=str(tmp_path / "none.yaml"))


def test_an_unknown_traitlet_is_named(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="not recognized"), pytest.raises(InvalidArgument, match="histroy_s"):
        settings(tmp_path, histroy_s=1)


def test_a_wrong_traitlet_is_named(tmp_path: Path) -> None:
    for name, value in {"history_s": "x", "grace_s": -1.0, "simulated_gpus": 100}.items():
        with pytest.raises(TraitError, match=name):
            settings(tmp_path, **{name: value})


def test_executors_and_images_come_from_either_place(tmp_path: Path) -> None:
    found = settings(
        tmp_path, "executors: [swarm, process]\njob_images: {'3.11': mine}", executors=["docker"]
    )
    assert (found.executors, found.job_images) == (("swarm", "process"), {"3.11": "mine"})
    (tmp_path / "cumulus.yaml").unlink()
    found = settings(tmp_path, executors=["docker"], container_env={"A": "b"})
    assert (found.executors, found.container_env) == (("docker",), {"A": "b"})


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("executors", ["dokcer"], "There are: process, docker, swarm"),
        ("executors", ["docker", "docker"], "named twice"),
        ("placement", "worst-fit", "There are: best-fit, first-fit"),
        ("docker_host", "/var/run/docker.sock:1?", ""),
        ("docker_host", "localhost:2375", "no engine's address"),
        ("swarm_host", "tcp://", "no engine's address"),
        ("job_images", {"3": "mine"}, "no Python minor version"),
        ("job_images", {"3.11": ""}, "no image"),
        ("container_user", "me", "not UID:GID"),
        ("container_user", "0:0", "do not run as root"),
        ("container_ca_bundle", "/nowhere.pem", "cannot be read"),
        ("container_ca_bundle", __file__, "no certificate"),
        ("container_env", {"A B": "c"}, "cannot be a variable's name"),
        ("container_env", {"CUMULUS_URL": "c"}, "cannot be a variable's name"),
        ("container_env", {"A": 1}, "not text"),
        ("runner_host", "0.0.0.0", "one address to dial"),
        ("runner_host", "::", "one address to dial"),
        ("runner_host", "http://here", "no address"),
        ("runner_listen", "10.0.0.5", "no address of this machine with a port"),
        ("runner_listen", "0.0.0.0:8443", "no address of this machine with a port"),
        ("runner_listen", "10.0.0.5:8443", "where runners reach it is not said"),
        ("runner_url", "here:80", "no URL"),
        ("runner_url", "https://here:port/", "no URL"),
        ("ssh_key", "/nowhere/key", "cannot be read"),
        ("ssh_key", __file__, "no private key"),
    ],
)
def test_a_setting_that_cannot_be_used_is_told_at_the_start(
    tmp_path: Path, name: str, value: Any, why: str
) -> None:
    if not why:
        settings(tmp_path, **{name: value})
        return
    with pytest.raises(InvalidArgument, match=f"Cumulus.{name}") as raised:
        settings(tmp_path, **{name: value})
    assert why in str(raised.value) and raised.value.next
