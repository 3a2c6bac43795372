"""What a host's setup talks to, as stand-ins: the relay, the engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cumulus_worker.setup import state
from tests.fakes.engine_socket import EngineSocket, engine_socket
from tests.fakes.enrolment_relay import EnrolmentRelay, enrolment_relay
from tests.fakes.setup_script import Script

KEY = "cd" * 32


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """The script's functions, with a folder of their own."""
    return Script(tmp_path)


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[EnrolmentRelay]:
    """A relay that listens."""
    with enrolment_relay(tmp_path) as made:
        yield made


@pytest.fixture
def own_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineSocket]:
    """An engine that listens, and is taken for this host's."""
    with engine_socket(tmp_path / "e.sock") as made:
        monkeypatch.setenv("CUMULUS_ENGINE_SOCKET", str(made.path))
        yield made


@pytest.fixture
def kept(script: Script, relay: EnrolmentRelay, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host that has been enrolled; the folder of what it keeps."""
    told = {"relay": relay.url, "pin": relay.pin, "session_key": KEY}
    (script.state / "worker.json").write_text(json.dumps(told, indent=1))
    monkeypatch.setattr(state, "FOLDER", script.state)
    for function in (state.load, state.keep):
        monkeypatch.setattr(function, "__defaults__", (script.state,))
    return script.state
