"""A job is cancelled from wherever its user sees it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.acceptance.containers import Gate
from tests.homes import wait_for
from tests.patience import LIMIT_S

from .cells import held as held_cell
from .lab import JupyterServer
from .notebook import Notebook
from .parts import Card, Sidebar


def _cancelled(lab: JupyterServer, name: str) -> None:
    def over() -> bool:
        jobs = lab.relay.insist("GET", "jobs?limit=100").json["jobs"]
        return [job["state"] for job in jobs if job["name"] == name] == ["CANCELLED"]

    assert wait_for(over, LIMIT_S, 0.1)


@pytest.mark.parametrize("where", ["card", "sidebar", "stop-button"])
def test_a_running_job_is_cancelled(
    where: str, lab: JupyterServer, open_notebook: Callable[..., Notebook], held: Gate
) -> None:
    notebook = open_notebook(lab, held_cell(held, where))
    notebook.run(0)
    expect(notebook.output(0)).to_contain_text("begun")
    card = Card(notebook.output(0))
    expect(card.root).to_contain_text("running")
    if where == "card":
        card.cancel_button.click()
    elif where == "sidebar":
        entry = Sidebar(notebook.page).open().job(where)
        entry.get_by_role("button", name="Cancel").click()
    else:
        notebook.stop()
    _cancelled(lab, where)
    notebook.wait_done(0)
    expect(notebook.output(0)).to_contain_text("cancelled")
    expect(notebook.output(0)).to_contain_text("begun")
    expect(card.cancel_button).to_have_count(0)


def test_a_second_click_on_cancel_does_nothing_else(
    lab: JupyterServer, open_notebook: Callable[..., Notebook], held: Gate
) -> None:
    notebook = open_notebook(lab, held_cell(held, "twice"))
    notebook.run(0)
    expect(notebook.output(0)).to_contain_text("begun")
    button = Sidebar(notebook.page).open().job("twice").get_by_role("button", name="Cancel")
    button.hover()
    button.click()
    expect(button).to_have_count(0)
    notebook.page.mouse.down()
    notebook.page.mouse.up()
    notebook.wait_done(0)
    expect(notebook.output(0)).to_contain_text("cancelled")
    expect(notebook.panel.get_by_text("%cumulus attach")).to_have_count(0)
