"""Tables and short errors, as text and as HTML."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cumulus_jupyter.protocol.errors import InvalidArgument
from cumulus_jupyter.protocol.jobs import DeviceView, JobView, Origin, WorkerView
from cumulus_jupyter.protocol.resources import Resources
from cumulus_jupyter.view.failure import ShortError, shorten
from cumulus_jupyter.view.tables import Table, age, job_table, jobs_table, size, workers_table

JOB = JobView("j1", "RUNNING", "<fit>", "me", 0, 1, Resources(gpu=0.5), started_ms=1000, worker="local")


def test_a_table_lines_up() -> None:
    assert repr(Table("T", ["a", "bb"], [("long", 1), ("x", None)])) == "T\na     bb\nlong  1\nx"


def test_an_empty_table_says_so() -> None:
    assert repr(jobs_table([])) == "Jobs: none"


def test_markup_in_names_is_text() -> None:
    assert "&lt;fit&gt;" in jobs_table([JOB], 5000)._repr_html_()


def test_a_job_says_what_it_holds_and_how_long_it_runs() -> None:
    assert jobs_table([JOB], 5000).rows == [["j1", "<fit>", "RUNNING", "0.5", "local", "5.0 s", "4.0 s"]]
    assert ["asked for", "0.5 GPU, 3600 s"] in job_table(JOB).rows


def test_a_running_job_says_how_far_it_is_what_it_uses_and_whence_it_came() -> None:
    seen = replace(
        JOB,
        progress={"id": "p", "label": "epochs", "done": 5, "total": 10, "unit": "", "speed": 3},
        usage={
            "cpu_percent": 99.6,
            "memory_bytes": 3 << 30,
            "gpu_percent": None,
            "gpu_memory_bytes": 1 << 30,
        },
        origin=Origin("a/fit.ipynb", "c1"),
    )
    rows = dict(job_table(seen).rows)
    assert rows["progress"].startswith("epochs █") and rows["progress"].endswith("50%")
    assert rows["uses"] == "100 % CPU, 3 GiB, 1 GiB of GPU memory"
    assert rows["sent from"] == "a/fit.ipynb"
    assert not {"progress", "uses", "sent from"} & set(dict(job_table(JOB).rows))


def test_simulated_devices_are_marked() -> None:
    worker = WorkerView("local", "process", "ready", 2, 4096, [DeviceView("0", "A100", 0, 5, True)])
    assert "A100 (simulated), 0.5 in use" in repr(workers_table([worker]))


def test_a_worker_says_what_it_offers_and_what_runs_there() -> None:
    jobs = [f"j{number}" for number in range(5)]
    worker = WorkerView(
        "w1", "swarm", "ready", 4, 8192, labels={"zone": "b", "fast": ""}, jobs=jobs,
        capabilities=["docker", "fast", "swarm", "zone", "zone:b"], slots=8,
        used_cpu=1.5, used_memory_mib=1024,
    )  # fmt: skip
    shown = dict(zip((table := workers_table([worker])).columns, table.rows[0], strict=True))
    assert shown["cpu"] == "1.5 of 4 asked for"
    assert shown["memory"] == "1 GiB of 8 GiB asked for"
    assert shown["offers"] == "docker, fast, swarm, zone:b"
    assert (shown["jobs"], shown["running"]) == ("5 of 8", "j0 j1 j2 and 2 more")


def test_a_worker_that_is_down_says_why() -> None:
    worker = WorkerView("w1", "swarm", "down", 4, 8192, message="heartbeat failure")
    table = workers_table([worker])
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert (row["state"], row["why"]) == ("down", "heartbeat failure") and table.columns[-1] == "why"


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (-5, "0.0 s"),
        (400, "0.4 s"),
        (60_000, "60 s"),
        (180_000, "3 min"),
        (18_000_000, "5 h"),
        (2 * 86_400_000, "2 d"),
    ],
)
def test_ages(milliseconds: int, words: str) -> None:
    assert age(milliseconds) == words


def test_sizes() -> None:
    assert [size(n) for n in (5, 2048, 3 * 2**20, 2**31)] == ["5 B", "2 KiB", "3 MiB", "2 GiB"]


def test_an_error_is_what_what_next_and_which_job() -> None:
    error = shorten(InvalidArgument("wrong", next="Do that.", job_id="j1"))
    lines = error.__dict__["_render_traceback_"]()
    assert [line.replace("\x1b[", "") for line in lines][1] == "Do that."
    assert "INVALID_ARGUMENT" in lines[0] and "wrong" in lines[0] and "j1" in lines[2]


def test_an_error_that_brought_its_traceback_keeps_it() -> None:
    error = InvalidArgument("wrong")
    error.__dict__["_render_traceback_"] = ShortError("own", "text")
    assert shorten(error).__dict__["_render_traceback_"].head == "own"
