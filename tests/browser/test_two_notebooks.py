"""Two notebooks beside each other: each shows its own job, the sidebar both."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.acceptance.containers import Gate

from .cells import held as held_cell
from .lab import JupyterServer
from .notebook import Notebook
from .parts import Card, Sidebar


def test_two_notebooks_at_once(
    lab: JupyterServer, open_notebook: Callable[..., Notebook], held: Gate
) -> None:
    first = open_notebook(lab, held_cell(held, "left", "--gpu 0.5"))
    first.run(0)
    expect(first.output(0)).to_contain_text("begun")
    second = open_notebook(lab, held_cell(held, "right", "--gpu 0.5"), page=first.page)
    second.run(0)
    expect(second.output(0)).to_contain_text("begun")
    expect(Card(second.output(0)).root).to_contain_text("right")

    sidebar = Sidebar(second.page).open()
    for name in ("left", "right"):
        expect(sidebar.job(name)).to_contain_text("running")
    sidebar.job("left").get_by_role("button", name="Go to").click()
    expect(first.cell(0)).to_be_visible()
    expect(Card(first.output(0)).root).to_contain_text("left")
    held.open()
    expect(first.output(0)).to_contain_text("done")
    for name in ("left", "right"):
        expect(sidebar.job(name)).to_contain_text("done")
    sidebar.job("right").get_by_role("button", name="Go to").click()
    expect(second.output(0)).to_contain_text("done")
    assert {job["name"]: job["state"] for job in lab.relay.insist("GET", "jobs?limit=2").json["jobs"]} == {
        "left": "COMPLETED",
        "right": "COMPLETED",
    }
