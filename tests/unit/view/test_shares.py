"""What people are told of a share: what it is of, and what holds a job to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cumulus_jupyter.protocol.events import State
from cumulus_jupyter.protocol.jobs import DeviceView, JobView, WorkerView
from cumulus_jupyter.protocol.resources import Resources
from cumulus_jupyter.protocol.shares import share_words, short_share_words
from cumulus_jupyter.view.facts import JobFacts
from cumulus_jupyter.view.tables import job_table, workers_table

HALF = DeviceView("GPU-a", "NVIDIA H100", 80_000, 5)
WHOLE = DeviceView("GPU-a", "NVIDIA H100", 80_000, 10)
SLICE = DeviceView("MIG-a", "NVIDIA A100 MIG 3g.20gb", 20_000, 10)


@pytest.mark.parametrize(
    ("devices", "by", "words"),
    [
        ([HALF], "mps", "0.5 of NVIDIA H100, held by mps"),
        ([HALF], "none", "0.5 of NVIDIA H100, held by nothing: the share is a booking only"),
        ([HALF], "", "0.5 of NVIDIA H100"),
        ([WHOLE, WHOLE], "none", "NVIDIA H100, NVIDIA H100"),
        ([SLICE], "mig", "NVIDIA A100 MIG 3g.20gb, held by mig"),
        ([DeviceView("0", "A100", 0, 3, True)], "", "0.3 of A100 (simulated)"),
        ([DeviceView("simulated-0", "Simulated GPU", 0, 3, True)], "", "0.3 of Simulated GPU"),
        ([], "none", ""),
        ([HALF], "something newer", "0.5 of NVIDIA H100"),
    ],
)
def test_words_for_a_share(devices: list[DeviceView], by: str, words: str) -> None:
    assert share_words(devices, by) == words


def test_frameworks_hold_themselves_only() -> None:
    assert "other code need not" in share_words([HALF], "framework")
    assert short_share_words([HALF], "framework") == "0.5 of NVIDIA H100, held by framework"


def test_a_job_says_what_holds_its_share() -> None:
    job = JobView("j", "RUNNING", "", "me", 0, 1, Resources(gpu=0.5), devices=[HALF], enforced_by="none")
    words = "0.5 of NVIDIA H100, held by nothing: the share is a booking only"
    for message in ("", words):  # which a running job's message says too
        rows = dict(job_table(replace(job, message=message)).rows)
        assert rows["devices"] == words and "why" not in rows


def test_a_worker_says_what_would_hold_a_share() -> None:
    devices = [DeviceView(f"{at}", "H100", 0, at, enforced_by=by) for at, by in enumerate(("mps", "none"))]
    shown = repr(workers_table([WorkerView("w", "swarm", "ready", 2, 4096, devices)]))
    assert "H100, shares held by mps, H100, 0.1 in use, shares held by nothing" in shown


def test_a_line_under_the_cell_says_it_once() -> None:
    device = {"id": "GPU-a", "name": "NVIDIA H100", "used_tenths": 5, "memory_mib": 1, "added_later": 1}
    words = "0.5 of NVIDIA H100, held by mps"
    facts = JobFacts()
    facts.take(State("SCHEDULING", words, worker="w", devices=[device], enforced_by="mps"))
    assert facts.line().startswith("starting") and facts.line().endswith(f"on w · {words}")
    facts.take(State("SCHEDULING", "pulling the image", worker="w", devices=[device], enforced_by="mps"))
    assert facts.line().startswith("pulling the image") and facts.line().endswith(words)
