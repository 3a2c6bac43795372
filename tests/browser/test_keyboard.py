"""Everything without a mouse."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.acceptance.containers import Gate
from tests.homes import wait_for
from tests.patience import LIMIT_S

from .cells import held as held_cell
from .lab import JupyterServer
from .notebook import Notebook
from .parts import Card, Sidebar

#: No place on the way from a cell to its outputs is further than this.
_STEPS = 60


def _tab_to(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """Press the key until the focus is there."""
    for _ in range(_STEPS):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press(key)
    where = page.evaluate("() => document.activeElement.outerHTML.slice(0, 300)")
    pytest.fail(f"{_STEPS} times {key} did not reach {wanted}; the focus is on {where}")


def _palette(page: Page, command: str) -> None:
    """Run a command from JupyterLab's palette, by its words."""
    page.keyboard.press("Control+Shift+c")
    expect(page.locator(".lm-CommandPalette-input:focus")).to_be_visible()
    page.keyboard.type(command)
    expect(page.locator(".lm-CommandPalette-item.lm-mod-active")).to_contain_text(command)
    page.keyboard.press("Enter")


def test_a_card_without_a_mouse(
    lab: JupyterServer, open_notebook: Callable[..., Notebook], held: Gate
) -> None:
    notebook = open_notebook(lab, held_cell(held, "keys"))
    page = notebook.page
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:enter-edit-mode')")
    page.keyboard.press("Control+Enter")
    expect(notebook.output(0)).to_contain_text("begun")
    card = Card(notebook.output(0))
    expect(card.cancel_button).to_be_visible()

    _tab_to(page, card.log_button)
    page.keyboard.press("Enter")
    expect(card.log).to_contain_text("begun")
    _tab_to(page, card.log)
    _tab_to(page, card.cancel_button, "Shift+Tab")
    page.keyboard.press("Enter")
    notebook.wait_done(0)
    expect(notebook.output(0)).to_contain_text("cancelled")


def test_the_sidebar_without_a_mouse(
    lab: JupyterServer, open_notebook: Callable[..., Notebook], held: Gate
) -> None:
    job_id = lab.relay.submit(held.question, name="quiet-keys")
    notebook = open_notebook(lab, "1")
    page = notebook.page
    _palette(page, "Show Cumulus Jobs and Workers")
    sidebar = Sidebar(page)
    entry = sidebar.job("quiet-keys")
    expect(entry).to_contain_text("running")
    _tab_to(page, entry)
    page.keyboard.press("Delete")
    assert wait_for(lambda: lab.relay.job(job_id)["state"] == "CANCELLED", LIMIT_S, 0.1)
    expect(entry).to_contain_text("cancelled")
