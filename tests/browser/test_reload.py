"""What a page shows comes back when it is loaded again, and when the kernel was started anew."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.acceptance.containers import Gate

from .cells import held as held_cell
from .lab import JupyterServer
from .notebook import Notebook
from .parts import Card


def _begun(notebook: Notebook) -> Card:
    notebook.run(0)
    expect(notebook.output(0)).to_contain_text("begun")
    card = Card(notebook.output(0))
    expect(card.root).to_contain_text("running")
    return card


def _ended(notebook: Notebook, at: int = 0) -> None:
    expect(notebook.output(at)).to_contain_text("went on")
    expect(notebook.output(at)).to_contain_text("done")
    expect(notebook.output(at)).to_contain_text("42")
    expect(Card(notebook.output(at)).cancel_button).to_have_count(0)


@pytest.mark.parametrize("saved", [True, False], ids=["saved", "unsaved"])
def test_reloaded_in_the_middle_of_a_job(
    saved: bool, lab: JupyterServer, open_notebook: Callable[..., Notebook], held: Gate
) -> None:
    notebook = open_notebook(lab, held_cell(held, "halfway"), "answer + 1")
    _begun(notebook)
    if saved:
        notebook.save()
    notebook.reload()
    card = Card(notebook.output(0))
    expect(card.root).to_contain_text("running")
    expect(card.cancel_button).to_be_visible()
    expect(notebook.output(0)).to_contain_text("begun")
    held.open()
    _ended(notebook)
    notebook.run_to_end(1)
    expect(notebook.output(1)).to_contain_text("43")


def test_a_job_that_ended_while_nobody_looked(
    lab: JupyterServer, open_notebook: Callable[..., Notebook], held: Gate
) -> None:
    notebook = open_notebook(lab, held_cell(held, "unseen"), "answer + 1")
    _begun(notebook)
    notebook.leave()
    held.open()
    job = lab.relay.insist("GET", "jobs?limit=1").json["jobs"][0]
    assert lab.relay.wait_end(job["id"])["state"] == "COMPLETED"
    notebook.open()
    _ended(notebook)
    notebook.run_to_end(1)
    expect(notebook.output(1)).to_contain_text("43")


@pytest.mark.parametrize("saved", [True, False], ids=["saved", "unsaved"])
def test_reloaded_after_a_job(
    saved: bool, lab: JupyterServer, open_notebook: Callable[..., Notebook], held: Gate
) -> None:
    notebook = open_notebook(lab, held_cell(held, "over"))
    _begun(notebook)
    held.open()
    notebook.wait_done(0)
    _ended(notebook)
    if saved:
        notebook.save()
    notebook.reload()
    _ended(notebook)


@pytest.mark.parametrize("how", ["restarted", "killed"])
def test_a_kernel_that_ended_in_the_middle_attaches(
    how: str, lab: JupyterServer, open_notebook: Callable[..., Notebook], held: Gate
) -> None:
    name = f"left-{how}"
    notebook = open_notebook(lab, held_cell(held, name), f"%cumulus attach {name}", "answer + 1")
    card = _begun(notebook)
    if how == "restarted":
        notebook.restart_kernel()
    else:
        notebook.kill_kernel()
    expect(card.root).to_contain_text("running")
    expect(card.cancel_button).to_be_visible()
    _attaches(notebook, held)
    _ended(notebook, 0)


def _attaches(notebook: Notebook, held: Gate) -> None:
    notebook.run(1)
    expect(notebook.output(1)).to_contain_text("begun")
    expect(Card(notebook.output(1)).root).to_contain_text("running")
    held.open()
    notebook.wait_done(1)
    _ended(notebook, 1)
    notebook.run_to_end(2)
    expect(notebook.output(2)).to_contain_text("43")
