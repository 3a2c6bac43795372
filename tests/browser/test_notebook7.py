"""Notebook 7, in short: the same card and sidebar, which work as they do in JupyterLab."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.acceptance.containers import Gate

from . import artefacts
from .cells import held as held_cell
from .lab import JupyterServer
from .notebook import Notebook
from .parts import Card, Sidebar


@pytest.mark.parametrize("scale", [2])
def test_run_cancel_and_reload(
    notebook7: JupyterServer, open_notebook: Callable[..., Notebook], held: Gate
) -> None:
    notebook = open_notebook(
        notebook7, held_cell(held, "first"), held_cell(held, "second", "--gpu 0.5"), "answer + 1"
    )
    notebook.run(0)
    expect(notebook.output(0)).to_contain_text("begun")
    card = Card(notebook.output(0))
    expect(card.root).to_contain_text("running")
    card.cancel_button.click()
    notebook.wait_done(0)
    expect(notebook.output(0)).to_contain_text("cancelled")

    notebook.run(1)
    expect(notebook.output(1)).to_contain_text("begun")
    card = Card(notebook.output(1))
    card.log_button.click()
    expect(card.log).to_contain_text("begun")
    card.log.scroll_into_view_if_needed()
    artefacts.picture(notebook.page, "notebook-7")
    notebook.reload()
    expect(card.root).to_contain_text("running")
    held.open()
    expect(notebook.output(1)).to_contain_text("went on")
    expect(notebook.output(1)).to_contain_text("done")
    notebook.run_to_end(2)
    expect(notebook.output(2)).to_contain_text("43")

    notebook.page.get_by_role("menuitem", name="View").click()
    notebook.page.get_by_role("menuitem", name="Show Cumulus Jobs and Workers").click()
    expect(Sidebar(notebook.page).job("second")).to_contain_text("done")
