"""A bendable relay and the client's ways to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cumulus_jupyter.client.http import Endpoint, Http
from tests.fakes.client_relay import TOKEN, FakeRelay, fake_relay


@pytest.fixture
def relay() -> Iterator[FakeRelay]:
    with fake_relay() as relay:
        yield relay


@pytest.fixture
def http(relay: FakeRelay) -> Http:
    endpoint = Endpoint(relay.url, TOKEN)
    return Http(lambda lost: endpoint)
