"""``%%cumulus`` in a shell, against a relay that says what a test tells it."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest

from cumulus_jupyter import cell
from cumulus_jupyter.client import interrupts
from cumulus_jupyter.protocol.errors import InvalidArgument, ResourceExhausted
from cumulus_jupyter.view.failure import JobInterrupted
from tests.fakes.client_relay import FakeRelay, completed, log, result, state
from tests.patience import LIMIT_S


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the relay says is waited for, however busy the machine is."""
    monkeypatch.setattr(interrupts, "ANSWER_GRACE_S", LIMIT_S)
    monkeypatch.setattr(cell, "CANCEL_LIMIT_S", LIMIT_S)
    monkeypatch.setattr(cell, "LAST_WORDS_S", LIMIT_S)


def spec(relay: FakeRelay) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(relay.specs[-1])
    return found


def test_the_last_expression_is_the_cells(run: Any, shell: Any, relay: FakeRelay) -> None:
    relay.default = completed(42, x=1)
    assert run("%%cumulus\nx = 1\n42\n") == 42
    assert shell.user_ns["x"] == 1 and shell.user_ns["_"] == 42


def test_a_semicolon_silences_it(run: Any, relay: FakeRelay) -> None:
    relay.default = completed(42)
    assert run("%%cumulus\n42;\n") is None


def test_output_comes_apart_and_in_order(run: Any, relay: FakeRelay, capsys: Any) -> None:
    display = {"type": "display", "data": {"text/plain": "<figure>"}, "metadata": {}}
    relay.default = completed(None, log("out 1\n"), log("err\n", "stderr"), display, log("out 2\n"))
    run("%%cumulus\n1\n")
    shown = capsys.readouterr()
    assert shown.out == "out 1\n<figure>\nout 2\n" and shown.err == "err\n"


def test_quiet_shows_the_result_only(run: Any, relay: FakeRelay, capsys: Any) -> None:
    relay.default = completed(7, log("noise\n"))
    assert run("%%cumulus --quiet\n7\n") == 7
    assert "noise" not in capsys.readouterr().out


def test_what_the_job_needs_is_in_its_specification(run: Any, shell: Any, relay: FakeRelay) -> None:
    run("y = 5\nlabel = 'v'")
    run(
        "%%cumulus --gpu 0.5 --cpu 2 --memory 4G --duration 60 -r numpy --name fit "
        "--label k=$label --label docker --label image:mine --env A={y} --retries 2 "
        "--no-wait --executor process\ny + 1\n"
    )
    sent = spec(relay)
    assert sent["resources"] == {"gpu": 0.5, "cpu": 2.0, "memory_mib": 4096, "duration_s": 60}
    assert (sent["name"], sent["labels"], sent["env"]) == ("fit", {"k": "v"}, {"A": "5"})
    assert (sent["requirements"], sent["retries"], sent["wait"]) == (["numpy"], 2, False)
    assert sent["needs"] == ["docker", "image:mine"]
    assert sent["program"]["graph"]["roots"] == {"y": 5}
    assert sent["program"]["line_offset"] == 1 and sent["program"]["title"] == "Cell In[2]"


def test_defaults_of_the_notebook_count_until_the_line_says_otherwise(run: Any, relay: FakeRelay) -> None:
    run("%cumulus config gpu=0.5 require=numpy env=A=1")
    run("%%cumulus -r pandas --env B=2\n1\n")
    sent = spec(relay)
    assert sent["resources"]["gpu"] == 0.5
    assert sent["requirements"] == ["numpy", "pandas"] and sent["env"] == {"A": "1", "B": "2"}
    run("%%cumulus --gpu none\n1\n")
    assert spec(relay)["resources"]["gpu"] is None


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("%%cumulus --gpu 2.3\n1\n", "Invalid GPU amount"),
        ("%%cumulus --nope\n1\n", "Unknown option"),
        ("%%cumulus\nundefined_name + 1\n", "not defined"),
        ("%%cumulus\n\n", "empty"),
        ("%%cumulus --detach not-a-name\n1\n", "not a name"),
        ("%%cumulus --detach class\n1\n", "--detach: class is not a name"),
        ("%%cumulus --requirements nowhere.txt\n1\n", "cannot be read"),
        ("%cumulus frobnicate", "There is no command"),
        ("%cumulus job", "needs one job"),
        ("%cumulus config gpu", "KEY=VALUE"),
    ],
)
def test_a_mistake_sends_nothing(run: Any, relay: FakeRelay, source: str, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        run(source)
    assert relay.specs == []


def test_a_syntax_error_is_shown_as_one_of_the_cell(run: Any, relay: FakeRelay, capsys: Any) -> None:
    with pytest.raises(SyntaxError):
        run("%%cumulus\nx = [1\n")
    shown = capsys.readouterr().out
    assert "In[1], line 2" in shown and "run_cell_magic" not in shown
    assert relay.specs == []


def test_a_refusal_is_shown_in_a_few_lines(run: Any, relay: FakeRelay, capsys: Any) -> None:
    body = {"code": "RESOURCE_EXHAUSTED", "message": "No room", "next": "Try later.", "job_id": None}
    relay.refuse = (503, body)
    with pytest.raises(ResourceExhausted):
        run("%%cumulus\n1\n")
    shown = capsys.readouterr().out
    assert "RESOURCE_EXHAUSTED" in shown and "No room" in shown and "Try later." in shown
    assert len(shown.splitlines()) <= 3


def test_an_exception_shows_the_traceback_it_had_there(run: Any, relay: FakeRelay, capsys: Any) -> None:
    error = {"type": "error", "name": "ZeroDivisionError", "value": "division by zero", "module": "builtins"}
    relay.default = [
        state("RUNNING"),
        {**error, "qualname": "ZeroDivisionError", "traceback": ["Cell In[1], line 2", "----> 2 1/0"]},
        {**result(), "has_result": False, "graph": {"version": 1, "nodes": [], "roots": {"kept": 3}}},
        state("FAILED", error={"code": "FAILED_PRECONDITION", "message": "ZeroDivisionError"}),
    ]
    with pytest.raises(ZeroDivisionError):
        run("%%cumulus\n1/0\n")
    assert capsys.readouterr().out.strip() == "Cell In[1], line 2\n----> 2 1/0"
    assert run("kept") == 3


def test_deleted_names_are_gone(run: Any, shell: Any, relay: FakeRelay) -> None:
    run("gone = 1")
    relay.default = [state("RUNNING"), {**result(), "deleted": ["gone"]}, state("COMPLETED")]
    run("%%cumulus\ndel gone\n")
    assert "gone" not in shell.user_ns


def test_detached_returns_at_once_with_a_handle(run: Any, shell: Any, relay: FakeRelay) -> None:
    relay.default = [state("RUNNING")]
    assert run("%%cumulus --detach job --name fit\n1\n") is None
    job = shell.user_ns["job"]
    assert job.id == "job1" and job.status == "RUNNING"
    relay.add("job1", result(5, w=9), state("COMPLETED"))
    assert job.result(LIMIT_S) == 5 and job.values() == {"w": 9}


def test_a_detached_job_is_told_of_where_somebody_looks_on(
    run: Any, relay: FakeRelay, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("%%cumulus --detach job\n1\n")
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("CUMULUS_VIEW", "live")
    run("%%cumulus --detach job --quiet\n1\n")
    assert capsys.readouterr().out == ""
    run("%%cumulus --detach job --name fit\n1\n")
    shown = capsys.readouterr().out
    assert shown.startswith("[fit · sent as job3 · job.logs()") and "%cumulus attach job3" in shown


def test_a_detached_job_is_named_as_its_handle(run: Any, shell: Any, relay: FakeRelay) -> None:
    run("%%cumulus --detach later\n1\n")
    assert shell.user_ns["later"].id == "job1" and spec(relay)["name"] == "later"


def test_attach_repaints_from_the_first_event(run: Any, shell: Any, relay: FakeRelay, capsys: Any) -> None:
    relay.jobs["abc"] = completed(5, log("line 1\n"), log("line 2\n"), w=9)
    assert run("%cumulus attach abc") == 5
    assert capsys.readouterr().out.startswith("line 1\nline 2\n")
    assert shell.user_ns["w"] == 9


def test_stopping_asks_the_job_to_end_and_shows_its_last_words(
    run: Any, relay: FakeRelay, capsys: Any
) -> None:
    relay.default = [state("RUNNING"), log("started\n")]
    relay.on_cancel = lambda job_id: relay.add(job_id, log("cleaned up\n"), result(), state("CANCELLED"))
    relay.on_stream = stop_button
    with pytest.raises(JobInterrupted, match="was cancelled"):
        run("%%cumulus\nimport time; time.sleep(60)\n")
    assert relay.cancelled == ["job1"]
    assert "started\ncleaned up\n" in capsys.readouterr().out


def test_a_job_that_needs_its_grace_is_left_to_it(
    run: Any, relay: FakeRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cell, "LAST_WORDS_S", 0.1)
    relay.default = [state("RUNNING")]
    relay.on_stream = stop_button
    with pytest.raises(JobInterrupted, match="being cancelled"):
        run("%%cumulus\nimport time; time.sleep(60)\n")
    assert relay.cancelled == ["job1"]


def test_a_job_that_ends_well_in_spite_of_it_has_its_result(run: Any, relay: FakeRelay) -> None:
    relay.default = [state("RUNNING")]
    relay.on_cancel = lambda job_id: relay.add(job_id, result(7), state("COMPLETED"))
    relay.on_stream = stop_button
    assert run("%%cumulus\n7\n") == 7


def test_what_an_ended_job_left_can_be_had_after_a_stop(
    run: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*given: Any, **more: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(JobInterrupted, match="has ended"):
        patch.setattr(cell, "read_values", interrupted)
        run("%%cumulus\n42\n")
    assert "%cumulus result job1 brings it." in capsys.readouterr().out
    assert run("%cumulus result job1") == 42


def test_stopping_an_attached_cell_leaves_the_job_alone(run: Any, relay: FakeRelay) -> None:
    relay.jobs["abc"] = [state("RUNNING")]
    relay.on_stream = stop_button
    with pytest.raises(JobInterrupted, match="goes on"):
        run("%cumulus attach abc")
    assert relay.cancelled == []


def stop_button(streams: int) -> None:
    """What the Stop button does; called by the relay as the cell begins to follow its job."""
    os.kill(os.getpid(), signal.SIGINT)
