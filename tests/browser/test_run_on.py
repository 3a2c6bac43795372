"""\"Run this cell on…\": by keyboard alone, from the magic that is there to the one that is wanted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from .chrome import BLANK
from .lab import JupyterServer
from .notebook import Notebook

SOURCES = (
    "() => window.jupyterapp.shell.currentWidget.content.widgets.map(c => c.model.sharedModel.getSource())"
)
MAGIC = f"{BLANK}labextension-py/lib/notebook/magic_line.js"


def _menu(notebook: Notebook, at: int) -> Locator:
    notebook.cell(at).locator(".cm-content").click()
    notebook.page.keyboard.press("Control+Alt+Enter")
    menu = notebook.page.get_by_role("dialog").filter(has_text="Run this cell on")
    expect(menu.get_by_role("radiogroup", name="Where to run the cell")).to_be_visible()
    return menu


def test_a_share_is_picked_and_the_cell_runs_there(
    lab: JupyterServer, open_notebook: Callable[..., Notebook]
) -> None:
    notebook = open_notebook(lab, "6 * 7")
    menu = _menu(notebook, 0)
    expect(menu.get_by_role("radio", name="CPU, no GPU")).to_be_focused()
    notebook.page.keyboard.press("ArrowRight")
    notebook.page.keyboard.press("ArrowRight")
    expect(menu.get_by_role("radio", name="0.2 GPU")).to_be_checked()
    expect(menu.get_by_role("status")).to_have_text("0.2 GPU — free now on local")
    notebook.page.keyboard.press("Enter")
    last = notebook.page.locator(".jp-Notebook .jp-CodeCell").last
    expect(last.locator(".jp-Cell-outputArea")).to_contain_text("42")
    assert notebook.page.evaluate(SOURCES)[-1] == "%%cumulus --gpu 0.2\n6 * 7"
    job = lab.relay.insist("GET", "jobs?limit=1").json["jobs"][0]
    assert job["resources"]["gpu"] == 0.2


def test_running_here_takes_the_line_away(lab: JupyterServer, open_notebook: Callable[..., Notebook]) -> None:
    notebook = open_notebook(lab, "%%cumulus --gpu 0.3 --name kept\n1 + 1")
    menu = _menu(notebook, 0)
    expect(menu.get_by_role("radio", name="0.3 GPU")).to_be_checked()
    menu.get_by_role("radio", name="Here, in the kernel of the notebook").check(force=True)
    notebook.page.keyboard.press("Enter")
    notebook.wait_done(0)
    assert notebook.page.evaluate(SOURCES)[0] == "1 + 1"


def test_an_amount_that_the_menu_lacks_is_kept(
    lab: JupyterServer, open_notebook: Callable[..., Notebook]
) -> None:
    cell = "%%cumulus --gpu {tenths / 10} --name filled\n6 * 7"
    notebook = open_notebook(lab, "tenths = 3", cell)
    notebook.run_to_end(0)
    menu = _menu(notebook, 1)
    written = menu.get_by_role("radio", name="{tenths / 10} GPU, as the cell says")
    expect(written).to_be_checked()
    expect(written).to_be_focused()
    notebook.page.keyboard.press("Enter")
    notebook.wait_done(1)
    assert notebook.page.evaluate(SOURCES)[1] == cell
    job = lab.relay.insist("GET", "jobs?limit=1").json["jobs"][0]
    assert (job["name"], job["resources"]["gpu"]) == ("filled", 0.3)
    menu = _menu(notebook, 1)
    menu.get_by_role("radio", name="0.5 GPU").check(force=True)
    notebook.page.keyboard.press("Enter")
    expect(notebook.cell(1).locator(".cm-content")).to_contain_text("%%cumulus --gpu 0.5 --name filled")


def test_the_default_time_is_told_in_hours(
    lab: JupyterServer, open_notebook: Callable[..., Notebook]
) -> None:
    notebook = open_notebook(lab, "1 + 1", "%cumulus config duration=600")
    notebook.run_to_end(0)
    time = _menu(notebook, 0).get_by_label("For at most").locator("option").first
    expect(time).to_have_text("the default, 1 hour")
    notebook.page.keyboard.press("Escape")
    notebook.run_to_end(1)
    _menu(notebook, 0)
    expect(time).to_have_text("the default, 10 minutes")


def test_gpus_that_are_known_later_can_be_picked(
    lab: JupyterServer, open_notebook: Callable[..., Notebook]
) -> None:
    notebook = open_notebook(lab, "%%cumulus --gpu 0.3\n1 + 1")
    held: list[Route] = []
    notebook.page.route("**/cumulus/api/v1/watch*", lambda route: held.append(route))
    notebook.page.reload()
    notebook.wait_ready()
    menu = _menu(notebook, 0)
    expect(menu.get_by_text("no worker has one")).to_have_count(2)
    for route in held:
        route.continue_()
    expect(menu.get_by_role("radio", name="0.3 GPU")).to_be_checked()
    expect(menu.get_by_role("radio", name="0.3 GPU")).to_be_focused()


def test_escape_changes_nothing(lab: JupyterServer, open_notebook: Callable[..., Notebook]) -> None:
    notebook = open_notebook(lab, "1 + 1")
    menu = _menu(notebook, 0)
    notebook.page.keyboard.press("ArrowRight")
    notebook.page.keyboard.press("Escape")
    expect(menu).to_have_count(0)
    assert notebook.page.evaluate(SOURCES) == ["1 + 1"]


@pytest.mark.parametrize(
    ("before", "gpu", "duration", "after"),
    [
        ("x = 1", "0.5", None, "%%cumulus --gpu 0.5\nx = 1"),
        ("%%cumulus\nx = 1", "2", "600", "%%cumulus --gpu 2 --duration 600\nx = 1"),
        (
            "%%cumulus --gpu=0.1 --name 'two words' -o a,b\nx = 1",
            "0.5",
            None,
            "%%cumulus --gpu 0.5 --name 'two words' -o a,b\nx = 1",
        ),
        ("\n\n%%cumulus --duration 60 --quiet\nx = 1", None, None, "\n\n%%cumulus --quiet\nx = 1"),
        ("x = '''\n%%cumulus\n'''", "1", None, "%%cumulus --gpu 1\nx = '''\n%%cumulus\n'''"),
        ("%%cumulus --gpu {a + b}\nx = 1", "0.5", None, "%%cumulus --gpu 0.5\nx = 1"),
        ("%%cumulusly\nx", "1", None, "%%cumulus --gpu 1\n%%cumulusly\nx"),
    ],
)
def test_the_line_keeps_its_other_options(
    page: Page, _pages_built: None, before: str, gpu: str | None, duration: str | None, after: str
) -> None:
    written = page.evaluate(
        "async ([at, before, gpu, durationS]) => (await import(at)).withWish(before, {gpu, durationS})",
        [MAGIC, before, gpu, duration],
    )
    assert written == after
