"""Options as people write them, and what they are told when they write them wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cumulus_jupyter.client.options import checked, job_options, requirements_file
from cumulus_jupyter.protocol.errors import InvalidArgument


def test_amounts_are_in_their_units() -> None:
    options = checked({"gpu": "0.5", "cpu": "2", "memory": "4G", "duration": "60", "retries": "3"})
    assert (options.gpu, options.cpu, options.memory_mib) == (0.5, 2.0, 4096)
    assert (options.duration_s, options.retries) == (60, 3)


def test_none_takes_a_default_back() -> None:
    options = checked({"gpu": "none", "cpu": "none", "memory": "none"})
    assert (options.gpu, options.cpu, options.memory_mib) == (None, None, None)


def test_the_seeds_name_of_the_gpu_amount_is_accepted() -> None:
    options, rest = job_options({"gpu_memory": 0.5, "x": 1})
    assert options.gpu == 0.5 and rest == {"x": 1}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("gpu", value) for value in (0, 2.3, 0.1482, 1.5, -1, "abc", True)),
        *(("duration", value) for value in (59, 86_401, "long")),
        *(("memory", value) for value in ("0", "x", -1)),
        *(("cpu", value) for value in (0, -1, "x")),
        *(("retries", value) for value in (-1, 1.5, 101, "x")),
        *(("priority", value) for value in (-101, 101, 1.5, True, "high")),
        ("labels", ["=value"]),
        ("labels", [" "]),
        ("env", ["=value"]),
        ("wait", "perhaps"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: Any) -> None:
    with pytest.raises(InvalidArgument, match="Invalid"):
        checked({name: value})


def test_a_requirements_file_brings_those_it_names(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("pandas>=2\n")
    (tmp_path / "all.txt").write_text("# comment\nnumpy  # why\n\n-r more.txt\nurl @ https://x/#egg\n")
    assert requirements_file(str(tmp_path / "all.txt")) == ["numpy", "pandas>=2", "url @ https://x/#egg"]


@pytest.mark.parametrize("text", ["--index-url https://x\n", "-e .\n"])
def test_an_installers_option_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.txt").write_text(text)
    with pytest.raises(InvalidArgument, match="option"):
        requirements_file(str(tmp_path / "r.txt"))


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(InvalidArgument, match="nowhere.txt"):
        requirements_file("nowhere.txt")


def test_a_label_without_a_value_asks_for_a_capability() -> None:
    options = checked({"labels": ["team=vision", "docker", "image:mine:2", "docker"], "needs": ["gpu"]})
    assert options.labels == {"team": "vision"}
    assert options.needs == ["gpu", "docker", "image:mine:2"]
    assert checked({"labels": "docker"}).needs == ["docker"]
    assert checked({"labels": {"docker": ""}}).needs == []
