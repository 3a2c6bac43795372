"""A job's events: in order, each once, whatever happens to the connection and the relay."""

from __future__ import annotations

import time

import pytest

from cumulus_jupyter.client import stream as stream_module
from cumulus_jupyter.client.http import Endpoint, Http
from cumulus_jupyter.client.stream import EventStream
from cumulus_jupyter.protocol.errors import NotFound, Unavailable
from tests.fakes.client_relay import TOKEN, FakeRelay, completed, fake_relay, log, state
from tests.patience import LIMIT_S

LINES = [log(f"{n}\n") for n in range(10)]


def numbers(stream: EventStream) -> list[int]:
    return [seq for seq, _ in stream.all()]


def test_events_come_in_order_to_the_end(relay: FakeRelay, http: Http) -> None:
    relay.jobs["a"] = completed(1, *LINES)
    stream = EventStream(http, "a")
    assert numbers(stream) == list(range(1, 15))
    assert stream.end is not None and stream.end.state == "COMPLETED"
    assert stream.read() == []


def test_a_stream_resumes_where_it_was_told(relay: FakeRelay, http: Http) -> None:
    relay.jobs["a"] = completed(1, *LINES)
    assert numbers(EventStream(http, "a", after=10)) == [11, 12, 13, 14]


@pytest.mark.parametrize("cut", [1, 2, 3, 5])
def test_a_stream_that_breaks_goes_on_without_gap_or_double(relay: FakeRelay, http: Http, cut: int) -> None:
    relay.jobs["a"] = completed(1, *LINES)
    relay.cut_after = cut
    assert numbers(EventStream(http, "a")) == list(range(1, 15))
    assert relay.streams > 2


def test_a_relay_that_moved_is_followed_to_its_new_address(relay: FakeRelay) -> None:
    relay.jobs["a"] = [state("QUEUED"), *LINES]
    relay.cut_after = 4
    with fake_relay() as other:
        other.jobs["a"] = completed(1, *LINES)[0:1] + LINES + completed(1)[1:]
        endpoints = [Endpoint(relay.url, TOKEN), Endpoint(other.url, TOKEN)]
        http = Http(lambda lost: endpoints[0] if lost is None else endpoints[1])
        stream = EventStream(http, "a")
        assert numbers(stream) == list(range(1, 15))
        assert other.streams == 1


def test_a_relay_with_a_new_token_on_the_same_port_is_found(relay: FakeRelay) -> None:
    relay.jobs["a"] = completed(1, *LINES)
    relay.cut_after = 4

    def restarted(count: int) -> None:
        relay.token = "new"
        relay.cut_after = 4 if count == 1 else None

    relay.on_stream = restarted
    endpoints = [Endpoint(relay.url, TOKEN), Endpoint(relay.url, "new")]
    http = Http(lambda lost: endpoints[0] if lost is None else endpoints[1])
    assert numbers(EventStream(http, "a")) == list(range(1, 15))


def test_who_follows_is_told_that_the_relay_is_away_and_back(relay: FakeRelay, http: Http) -> None:
    relay.jobs["a"] = completed(1)
    relay.cut_after = 2
    told: list[float | None] = []
    EventStream(http, "a", on_away=told.append).all()
    assert told[0] is not None and told[1] is None


def test_a_relay_that_was_away_is_found_by_who_reads_for_moments(
    relay: FakeRelay, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "_FIRST_PAUSE_S", 0.05)
    relay.jobs["a"] = completed(1)
    relay.cut_after = 2
    told: list[float | None] = []
    stream = EventStream(http, "a", on_away=told.append)
    found: list[int] = []
    give_up = time.monotonic() + LIMIT_S
    while stream.end is None and time.monotonic() < give_up:
        found += [seq for seq, _ in stream.read(0.01)]
    assert found == [1, 2, 3, 4]
    assert len(told) > 2 and told[-1] is None, "the wait is told as it grows"


def test_a_job_that_is_not_known_is_an_error(relay: FakeRelay, http: Http) -> None:
    with pytest.raises(NotFound):
        EventStream(http, "nothing").read()


def test_reading_ends_when_nothing_comes_in_time(relay: FakeRelay, http: Http) -> None:
    relay.jobs["a"] = [state("QUEUED")]
    stream = EventStream(http, "a")
    assert len(stream.read(LIMIT_S)) == 1
    assert stream.read(0.02) == []
    relay.add("a", *completed(1)[1:])
    assert numbers(stream) == [2, 3, 4]


def test_a_relay_that_has_gone_silent_is_asked_again(
    relay: FakeRelay, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "SILENCE_LIMIT_S", 0.05)
    relay.jobs["a"] = [state("QUEUED")]
    relay.on_stream = lambda count: relay.add("a", *completed(1)[1:]) if count == 2 else None
    assert numbers(EventStream(http, "a")) == [1, 2, 3, 4]
    assert relay.streams >= 2


def test_a_relay_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "AWAY_LIMIT_S", 0.05)
    with fake_relay() as gone:
        endpoint = Endpoint(gone.url, TOKEN)
    with pytest.raises(Unavailable, match="attach a"):
        EventStream(Http(lambda lost: endpoint), "a").read()
