"""A job is attached to in a new cell, where its reader looks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.acceptance.containers import Gate

from .cells import held as held_cell
from .conftest import server
from .lab import JupyterServer
from .notebook import Notebook
from .parts import Card, Sidebar

SOURCES = (
    "() => window.jupyterapp.shell.currentWidget.content.widgets.map(c => c.model.sharedModel.getSource())"
)
_ATTACH = "id => { window.jupyterapp.commands.execute('cumulus:attach', {jobId: id}); }"
_RESTART_AND_ATTACH = """
id => {
  void window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart();
  window.jupyterapp.commands.execute('cumulus:attach', {jobId: id});
}
"""
_SHUT_DOWN = "() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()"
_SELECT = "at => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = at; }"


@pytest.fixture(scope="module")
def bare_lab(_pages_built: None) -> Iterator[JupyterServer]:
    """A JupyterLab whose kernels have the magic once a notebook loads it."""
    with server("lab") as made:
        (made.home.path / ".ipython" / "profile_default" / "ipython_config.py").unlink()
        yield made


def test_below_its_own_cell_where_that_is_here(
    lab: JupyterServer, open_notebook: Callable[..., Notebook]
) -> None:
    rest = [f"# cell {number}\n" + "\n" * 10 for number in range(20)]
    notebook = open_notebook(lab, "%%cumulus --name sent --detach handle\nanswer = 42", *rest)
    notebook.run_to_end(0)
    sidebar = Sidebar(notebook.page).open()
    expect(sidebar.job("sent")).to_contain_text("done")
    notebook.page.evaluate(_SELECT, len(rest))
    notebook.cell(len(rest)).scroll_into_view_if_needed()
    sidebar.job("sent").get_by_role("button", name="Attach in a new cell").click()
    notebook.wait_done(1)
    assert "%cumulus attach" in notebook.page.evaluate(SOURCES)[1]
    expect(notebook.cell(1)).to_be_in_viewport()
    expect(notebook.cell(0)).to_contain_text("handle")


def test_below_the_selected_cell_where_it_came_from_elsewhere(
    lab: JupyterServer, open_notebook: Callable[..., Notebook]
) -> None:
    job_id = lab.relay.submit("answer = 42", name="foreign")
    lab.relay.wait_end(job_id)
    notebook = open_notebook(lab, "1", "2", "3")
    notebook.page.evaluate(_SELECT, 1)
    notebook.page.evaluate(_ATTACH, job_id)
    notebook.wait_done(2)
    assert notebook.page.evaluate(SOURCES) == ["1", "2", f"%cumulus attach {job_id}", "3"]


def test_a_kernel_that_begins_is_asked_whether_it_has_the_magic(
    lab: JupyterServer, open_notebook: Callable[..., Notebook]
) -> None:
    job_id = lab.relay.submit("answer = 42", name="before")
    lab.relay.wait_end(job_id)
    notebook = open_notebook(lab, "answer")
    notebook.page.evaluate(_SELECT, 0)
    notebook.page.evaluate(_RESTART_AND_ATTACH, job_id)
    notebook.wait_done(1)
    assert notebook.page.evaluate(SOURCES) == ["answer", f"%cumulus attach {job_id}"]
    notebook.run_to_end(0)
    expect(notebook.output(0)).to_contain_text("42")


def test_after_a_restart_while_the_cell_is_still_shown_as_running(
    bare_lab: JupyterServer, open_notebook: Callable[..., Notebook], held: Gate
) -> None:
    notebook = open_notebook(bare_lab, "%load_ext cumulus_jupyter", held_cell(held, "outlives"), "answer")
    notebook.run_to_end(0)
    notebook.run(1)
    expect(notebook.output(1)).to_contain_text("begun")
    notebook.save()
    notebook.reload()
    expect(Card(notebook.output(1)).root).to_contain_text("running")
    notebook.restart_kernel()
    sidebar = Sidebar(notebook.page).open()
    sidebar.job("outlives").get_by_role("button", name="Attach in a new cell").click()
    expect(Card(notebook.output(2)).root).to_contain_text("running")
    held.open()
    notebook.wait_done(2)
    notebook.run_to_end(3)
    expect(notebook.output(3)).to_contain_text("42")


def test_a_notebook_whose_kernel_was_shut_down_gets_one(
    bare_lab: JupyterServer, open_notebook: Callable[..., Notebook]
) -> None:
    notebook = open_notebook(
        bare_lab, "%load_ext cumulus_jupyter", "%%cumulus --name left\nleft = 6 * 7", "left"
    )
    notebook.run_to_end(0)
    notebook.run_to_end(1)
    notebook.page.evaluate(_SHUT_DOWN)
    expect(notebook.panel).to_contain_text("No Kernel")
    sidebar = Sidebar(notebook.page).open()
    sidebar.job("left").get_by_role("button", name="Attach in a new cell").click()
    notebook.wait_done(2)
    notebook.run_to_end(3)
    expect(notebook.output(3)).to_contain_text("42")
