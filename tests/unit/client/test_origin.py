"""Where a job comes from is told where it is known, costs nothing, and is never a reason to fail."""

from __future__ import annotations

import json
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from cumulus_jupyter.client import origin
from cumulus_jupyter.client.origin import origin_of
from cumulus_jupyter.client.submission import JobOptions, make_submission
from cumulus_jupyter.client.wire import job_from_wire, worker_from_wire
from cumulus_jupyter.protocol.jobs import DeviceView, Holder, Origin
from cumulus_jupyter.protocol.program import Program

KERNEL = "0f8fad5b-d9cb-469f-a165-70867728950e"


def shell(parent: Any = None, **names: Any) -> Any:
    return SimpleNamespace(get_parent=lambda: parent, user_ns=names)


def cell(name: object) -> dict[str, Any]:
    return {"header": {}, "metadata": {"cellId": name}}


@pytest.fixture(autouse=True)
def no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    origin._kernel.cache_clear()


def run_by(monkeypatch: pytest.MonkeyPatch, connection_file: str) -> None:
    module: Any = ModuleType("ipykernel.kernelapp")
    app = SimpleNamespace(connection_file=connection_file)
    module.IPKernelApp = SimpleNamespace(initialized=lambda: True, instance=lambda: app)
    monkeypatch.setitem(sys.modules, "ipykernel.kernelapp", module)


def test_a_notebook_says_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "/srv/ann/a.ipynb")
    run_by(monkeypatch, f"/run/jupyter/kernel-{KERNEL}.json")
    assert origin_of(shell(cell("c1"))) == Origin("/srv/ann/a.ipynb", "c1", KERNEL)
    origin._kernel.cache_clear()


def test_other_frontends_say_what_they_can(monkeypatch: pytest.MonkeyPatch) -> None:
    run_by(monkeypatch, "/run/kernel-v312d.json")
    assert origin_of(shell({}, __vsc_ipynb_file__="/c/a.ipynb")) == Origin("/c/a.ipynb")
    monkeypatch.setenv("JPY_SESSION_NAME", "a/notes.md")
    assert origin_of(shell(cell("c1"))) == Origin("a/notes.md", "c1")
    assert origin_of(shell({})) == Origin()  # a console
    origin._kernel.cache_clear()


def test_scripts_and_strange_shells_have_none() -> None:
    for strange in (None, SimpleNamespace(user_ns={}), shell(None), shell({"metadata": 3}), shell(cell(3))):
        assert origin_of(strange).cell == ""
    assert origin_of(None) == Origin()


def test_what_a_relay_would_refuse_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "a\n.ipynb")
    assert origin_of(shell(cell("x" * 101))).cell == ""
    assert origin_of(shell(cell("c"))) == Origin(cell="c", kernel=origin_of(shell()).kernel)


def test_it_travels_with_the_submission_and_only_where_there_is_one() -> None:
    sent = make_submission(Program("cell"), JobOptions(), origin=Origin("a.ipynb", "c", "k"))
    assert json.loads(sent.spec)["origin"] == {"notebook": "a.ipynb", "cell": "c", "kernel": "k"}
    assert "origin" not in json.loads(make_submission(Program("cell"), JobOptions()).spec)


def test_what_a_newer_relay_adds_is_passed_over() -> None:
    body = {
        "id": "a", "state": "RUNNING", "name": "", "owner": "me", "created_ms": 1, "attempt": 1,
        "origin": {"notebook": "n", "tab": 3}, "share": "1 GPU", "progress": {"done": 1}, "mood": "good",
    }  # fmt: skip
    view = job_from_wire(body)
    assert (view.origin, view.share, view.progress) == (Origin("n"), "1 GPU", {"done": 1})
    holders = [{"job_id": "a", "name": "b", "tenths": 3, "since": 4}]
    worker = {"id": "w", "executor": "process", "state": "ready", "cpu": 1, "memory_mib": 1}
    found = worker_from_wire({**worker, "devices": [{"id": "g", "name": "G", "holders": holders}]})
    assert found.devices == [DeviceView("g", "G", holders=[Holder("a", "b", 3)])]
