"""Which relay is taken, and what is said about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulus_jupyter.client import autostart
from cumulus_jupyter.client.discovery import Candidate, Discovery, surrounding_candidates, token_for
from cumulus_jupyter.protocol.errors import FailedPrecondition, Unauthenticated, Unavailable
from tests.fakes.client_relay import TOKEN, FakeRelay, fake_relay


@pytest.fixture
def gone() -> str:
    """The address of a relay that is no more: nobody listens there, and nobody else's test will."""
    return "http://127.0.0.1:1/"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path


def announce(folder: Path, relay: FakeRelay, **more: object) -> None:
    body = {"url": relay.url, "token": relay.token, "pid": 1, "relay_id": relay.relay_id, **more}
    (folder / "relay.json").write_text(json.dumps(body))


def test_an_address_that_was_given_rules_out_all_others(
    relay: FakeRelay, folder: Path, gone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUMULUS_URL", relay.url)
    monkeypatch.setenv("CUMULUS_TOKEN", TOKEN)
    announce(folder, relay)
    with pytest.raises(Unavailable):
        Discovery(gone, "x", folder=folder).locate(None)


def test_another_relay_is_not_shown_the_environments_token() -> None:
    environ = {"CUMULUS_URL": "http://127.0.0.1:8888/", "CUMULUS_TOKEN": "own"}
    assert token_for("http://localhost:8888", environ) == "own"
    assert token_for("http://example.org:8888/", environ) == ""
    assert token_for("http://example.org:8888/", {"CUMULUS_TOKEN": "for-it"}) == "for-it"


def test_the_environment_comes_before_this_users_own(
    relay: FakeRelay, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_relay() as other:
        announce(folder, other)
        monkeypatch.setenv("CUMULUS_URL", relay.url)
        monkeypatch.setenv("CUMULUS_TOKEN", TOKEN)
        discovery = Discovery(folder=folder)
        assert discovery.locate(None).url == relay.url
    assert discovery.found is not None and discovery.found.candidate.source == "CUMULUS_URL"


def test_an_environment_that_is_out_of_date_gives_way_to_the_relay_that_runs(
    relay: FakeRelay, folder: Path, gone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUMULUS_URL", gone)
    monkeypatch.setenv("CUMULUS_TOKEN", TOKEN)
    announce(folder, relay)
    discovery = Discovery(folder=folder)
    assert discovery.locate(None).url == relay.url
    assert discovery.found is not None and "does not answer" in discovery.found.trail[0]


def test_a_wrong_token_in_the_environment_is_an_error(
    relay: FakeRelay, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUMULUS_URL", relay.url)
    monkeypatch.setenv("CUMULUS_TOKEN", "wrong")
    with pytest.raises(Unauthenticated):
        Discovery(folder=folder).locate(None)


def test_places_around_a_kernel_are_read_from_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    server = {"url": "http://localhost:9999/", "token": "t"}
    (tmp_path / "jpserver-77.json").write_text(json.dumps(server))
    found = surrounding_candidates(
        {
            "CUMULUS_URL": "http://a/",
            "JUPYTERHUB_SERVICE_PREFIX": "/user/me/",
            "JUPYTERHUB_API_TOKEN": "h",
            "JUPYTERHUB_SERVICE_URL": "http://0.0.0.0:8899/user/me/",
            "JPY_PARENT_PID": "77",
        }
    )
    assert [(place.url, place.token) for place in found] == [
        ("http://a/", ""),
        ("http://127.0.0.1:8899/user/me/", "h"),
        ("http://localhost:9999/", "t"),
    ]


def test_only_the_server_that_started_the_kernel_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "jpserver-78.json").write_text(json.dumps({"url": "http://x/", "token": "t"}))
    assert list(surrounding_candidates({"JPY_PARENT_PID": "77"})) == []


def test_a_relay_is_started_where_there_is_none(
    relay: FakeRelay, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = Candidate("local", relay.url, TOKEN, "this user's own relay")
    monkeypatch.setattr(autostart, "start_relay", lambda folder: started)
    discovery = Discovery(folder=folder)
    assert discovery.locate(None).url == relay.url
    assert discovery.found is not None and "started" in discovery.found.trail[-1]


def test_nothing_is_started_where_that_is_not_wanted(folder: Path) -> None:
    with pytest.raises(Unavailable, match="No relay"):
        Discovery(autostart=False, folder=folder).locate(None)


def test_a_relay_of_another_version_is_named(relay: FakeRelay, folder: Path) -> None:
    relay.protocol = 2
    announce(folder, relay)
    with pytest.raises(FailedPrecondition, match="protocol 2"):
        Discovery(folder=folder).locate(None)


def test_a_relay_that_was_started_anew_is_found_again(folder: Path) -> None:
    with fake_relay() as old:
        announce(folder, old)
        discovery = Discovery(folder=folder)
        before = discovery.locate(None)
    assert discovery.locate(before).url == before.url
    with fake_relay() as new:
        announce(folder, new)
        assert discovery.locate(before).url == new.url


def test_another_relay_does_not_take_the_place_of_one_that_was_named_by_the_environment(
    relay: FakeRelay, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUMULUS_URL", relay.url)
    monkeypatch.setenv("CUMULUS_TOKEN", TOKEN)
    discovery = Discovery(folder=folder)
    before = discovery.locate(None)
    with fake_relay() as other:
        other.relay_id = "relay-2"
        announce(folder, other)
        assert discovery.locate(before).url == relay.url
