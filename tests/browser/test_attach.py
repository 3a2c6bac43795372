"""A job is attached to in a new cell, where its reader looks for it."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from .lab import JupyterServer
from .notebook import Notebook
from .parts import Sidebar

SOURCES = (
    "() => window.jupyterapp.shell.currentWidget.content.widgets.map(c => c.model.sharedModel.getSource())"
)
_SELECT = "at => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = at; }"


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
    # A kernel that does not answer yet would get the magic by a cell of its own.
    notebook.run_to_end(0)
    notebook.page.evaluate(_SELECT, 1)
    notebook.page.evaluate(
        "id => { window.jupyterapp.commands.execute('cumulus:attach', {jobId: id}); }", job_id
    )
    notebook.wait_done(2)
    assert notebook.page.evaluate(SOURCES) == ["1", "2", f"%cumulus attach {job_id}", "3"]
