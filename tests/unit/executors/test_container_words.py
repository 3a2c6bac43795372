"""What users are told of containers, images and engines."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from cumulus_server.executors.base import StartFailed, StartRequest
from cumulus_server.executors.containers import images, words
from cumulus_server.executors.containers.failures import EngineGone, silence, told, too_old, wrong_os

IMAGE = "team/image:1"
REQUEST = StartRequest("j", 1, "t", "u", "", "docker")


@pytest.mark.parametrize(
    ("code", "oom", "said"),
    [
        (0, False, "the container has ended"),
        (1, False, "the container exited with status 1: the last line"),
        (137, True, "the container was killed: out of memory (limit 128 MiB)"),
        (137, False, "the container was killed (SIGKILL), by hand or because the machine ran out of memory"),
        (139, False, "the container was ended by signal 11: the last line"),
        (127, False, "The image team/image:1 has no python3 on its PATH"),
        (78, False, "The image team/image:1 has an old Python; jobs need 3.9 or newer"),
    ],
)
def test_how_it_ended(code: int, oom: bool, said: str) -> None:
    output = "first\nthe last line\n"
    assert words.of_end(code, oom=oom, image=IMAGE, memory_mib=128, output=output) == said


def test_what_to_do_about_it() -> None:
    assert words.advice(137) == words.advice(1) == ""
    assert "--memory" in words.advice(137, oom=True) and "Python 3.9" in words.advice(127)


@pytest.mark.parametrize(
    ("message", "said", "permanent"),
    [
        ("pull access denied for x, repository does not exist or may require 'docker login': denied: "
         "requested access to the resource is denied", "or its registry does not show it", True),
        ("manifest for x:1 not found: manifest unknown", "does not exist", True),
        ("unauthorized: authentication required", "The registry refuses the image", True),
        ("invalid reference format", "This is no name of an image", True),
        ("write /var/lib/docker/tmp/x: no space left on device", "the disk is full", False),
        ("Get https://registry.test/v2/: dial tcp: lookup registry.test: no such host", "could not be pulled",
         False),
    ],
)  # fmt: skip
def test_pulls(message: str, said: str, permanent: bool) -> None:
    error = words.of_pull_error(message, IMAGE)
    assert said in error.message and IMAGE in error.message
    assert error.permanent is permanent and error.next


@pytest.mark.parametrize(
    ("message", "said", "permanent"),
    [
        ('exec: "python3": executable file not found in $PATH: unknown', "has no python3", True),
        ("No such image: team/image:1", "is not there", True),
        ("invalid mount config for type bind: bind source path does not exist: /x", "relay's files", True),
        ('could not select device driver "nvidia" with capabilities: [[gpu]]', "GPU", True),
        ("no space left on device", "is full", False),
        ("something new", "could not start the container: something new", False),
    ],
)
def test_starts(message: str, said: str, permanent: bool) -> None:
    error = words.of_start_error(message, IMAGE)
    assert said in error.message and error.permanent is permanent


def _cause(number: int) -> requests.exceptions.ConnectionError:
    """As requests wraps what a socket says: in the arguments of the arguments."""
    return requests.exceptions.ConnectionError(Exception("Connection aborted.", OSError(number, "said so")))


@pytest.mark.parametrize(
    ("error", "said", "next"),
    [
        (_cause(errno.ENOENT), "There is no Docker Engine at HOST", "Start it"),
        (_cause(errno.ECONNREFUSED), "No Docker Engine answers at HOST", "Start it"),
        (_cause(errno.EACCES), "No permission to use the Docker Engine at HOST", "group docker"),
        (_cause(errno.EHOSTUNREACH), "The Docker Engine at HOST cannot be reached: [Errno 113] said so",
         "SETTING"),
        (requests.exceptions.ReadTimeout(), "The Docker Engine at HOST did not answer within 60 s", "hangs"),
    ],
)  # fmt: skip
def test_engines(error: Exception, said: str, next: str) -> None:
    found = told(error, "HOST", "SETTING")
    assert isinstance(found, EngineGone) and found.message == said and next in found.next


def test_engines_that_will_not_do() -> None:
    assert "1.41" in too_old("HOST", "1.30").next and "1.30" in too_old("HOST", "1.30").message
    assert "windows" in wrong_os("HOST", "windows").message and silence("HOST", 5).next
    assert isinstance(told(ZeroDivisionError(), "HOST", "SETTING"), ZeroDivisionError)


def _image(name: str, minor: str, created: int, variant: str = "full") -> dict[str, object]:
    labels = {"io.cumulus.python": minor, "io.cumulus.variant": variant}
    return {"RepoTags": [name], "Created": created, "Labels": labels}


def test_the_best_image_of_each_minor() -> None:
    listed = [
        _image("cumulus-job:py3.13-slim", "3.13", 9, "slim"),
        _image("cumulus-job:py3.13", "3.13", 1),
        _image("team/job:1", "3.13", 5),
        _image("cumulus-job:py3.12-slim", "3.12", 1, "slim"),
        {"RepoTags": None, "Labels": None},
        {"RepoTags": ["<none>:<none>"], "Labels": {"io.cumulus.python": "3.14"}},
    ]
    found = images.job_images(listed, {})
    assert found == {"3.13": "cumulus-job:py3.13", "3.12": "cumulus-job:py3.12-slim"}
    assert images.job_images(listed, {"3.12": "mine"})["3.12"] == "mine"


def test_the_relay_s_own_minor_comes_first() -> None:
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    found = images.job_images([_image("a", "3.9", 1), _image("b", "3.99", 1), _image("c", own, 1)], {})
    assert list(found) == [own, "3.99", "3.9"]


def test_the_image_of_a_job() -> None:
    known = {"3.12": "a", "3.11": "b"}
    assert images.image_for(REQUEST, known) == "a"
    assert images.image_for(replace(REQUEST, python="3.11"), known) == "b"
    assert images.image_for(replace(REQUEST, python="3.11", image="own"), known) == "own"
    for request, there in ((replace(REQUEST, python="3.9"), known), (REQUEST, {})):
        with pytest.raises(StartFailed) as caught:
            images.image_for(request, there)
        assert caught.value.permanent and "make image" in caught.value.next


@pytest.mark.parametrize(
    ("name", "meant"),
    [("a", "a:latest"), ("a:1", "a:1"), ("host:5000/a", "host:5000/a:latest"), ("a@sha256:0", "a@sha256:0")],
)
def test_tags(name: str, meant: str) -> None:
    assert images.with_tag(name) == meant


@pytest.fixture(autouse=True)
def _no_docker_host(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    yield


def test_where_the_engine_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from cumulus_server.executors.containers import addresses

    monkeypatch.setattr(addresses, "USUAL_SOCKET", str(tmp_path / "usual.sock"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert addresses.resolve("") == f"unix://{tmp_path}/usual.sock"
    (tmp_path / "docker.sock").touch()
    assert addresses.resolve("") == f"unix://{tmp_path}/docker.sock"  # an engine without root
    (tmp_path / "usual.sock").touch()
    assert addresses.resolve("") == f"unix://{tmp_path}/usual.sock"
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere:2376")
    assert addresses.resolve("") == "tcp://elsewhere:2376"
    assert addresses.resolve("/run/other.sock") == "unix:///run/other.sock"
