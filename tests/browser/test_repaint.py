"""Outputs that a page has lost are painted anew as the kernel had painted them, and only those."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from tests.acceptance.containers import Gate

from .cells import held as held_cell
from .lab import JupyterServer
from .notebook import Notebook
from .parts import Card

OUTPUTS = "at => window.jupyterapp.shell.currentWidget.content.widgets[at].model.outputs.toJSON()"
DIRTY = "() => window.jupyterapp.shell.currentWidget.context.model.dirty"
#: That nothing is painted shows only with time: of what is done it takes the most.
SETTLED = """
async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  await new Promise(resolve => setTimeout(resolve, 2000));
}
"""
EVERYTHING = """%%cumulus --name everything
import sys, time
import pandas as pd
from IPython.display import HTML, clear_output, display, update_display
print('gone', flush=True)
time.sleep(0.7)
for number in range(3):
    clear_output(wait=True)
    print('round', number, flush=True)
shown = display(HTML('<b>first</b>'), display_id='shown')
for number in range(5):
    print(f'\\rpart {number}', end='', file=sys.stderr, flush=True)
print(file=sys.stderr)
update_display(HTML('<b>second</b>'), display_id='shown')
pd.DataFrame({'a': [1, 2]})"""
FAILS = """%%cumulus --name fails
import time
time.sleep(0.7)
print('before', flush=True)
1 / 0"""


def _outputs(notebook: Notebook, at: int) -> list[dict[str, Any]]:
    """A cell's outputs, without what is measured or made up anew each time."""
    found: list[dict[str, Any]] = notebook.page.evaluate(OUTPUTS, at)
    for output in found:
        output.pop("execution_count", None)
        for kind, text in output.get("data", {}).items():
            output["data"][kind] = re.sub(r"peak \d[\d.]* [MG]iB", "peak", re.sub(r"\d+\.\d s", "", text))
    return found


def _reload_unsaved(notebook: Notebook) -> None:
    notebook.reload()
    notebook.page.evaluate(SETTLED)


def test_what_is_repainted_is_what_the_kernel_painted(
    lab: JupyterServer, open_notebook: Callable[..., Notebook]
) -> None:
    notebook = open_notebook(lab, EVERYTHING, FAILS)
    notebook.run_to_end(0)
    notebook.run_to_end(1)
    painted = [_outputs(notebook, at) for at in (0, 1)]
    assert any("dataframe" in str(output) for output in painted[0])
    _reload_unsaved(notebook)
    expect(notebook.output(0)).to_contain_text("second")
    expect(notebook.output(1)).to_contain_text("ZeroDivisionError")
    # The result comes last: it is asked of the kernel.
    expect(notebook.output(0).locator("table")).to_be_visible()
    for at in (0, 1):
        assert _outputs(notebook, at) == painted[at]


def test_what_needs_no_repair_is_left_alone(
    lab: JupyterServer, open_notebook: Callable[..., Notebook]
) -> None:
    notebook = open_notebook(lab, "%%cumulus\nnumber = 1", "%%cumulus\nprint('said')", EVERYTHING)
    for at in range(3):
        notebook.run_to_end(at)
    notebook.save()
    _reload_unsaved(notebook)
    assert not notebook.page.evaluate(DIRTY)
    notebook.page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    notebook.save()
    _reload_unsaved(notebook)
    assert not notebook.page.evaluate(DIRTY)
    assert [_outputs(notebook, at) for at in range(3)] == [[], [], []]


def test_one_of_two_pages_paints(
    lab: JupyterServer, open_notebook: Callable[..., Notebook], held: Gate
) -> None:
    first = open_notebook(lab, held_cell(held, "twice"))
    first.run(0)
    expect(first.output(0)).to_contain_text("begun")
    other: Page = first.page.context.new_page()
    second = Notebook(other, lab, first.path, f"{first.workspace}-second")
    second.open()
    other.evaluate(SETTLED)
    assert _outputs(second, 0) == []
    first.page.close()
    # As when somebody looks at the page again.
    other.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    expect(Card(second.output(0)).root).to_contain_text("running")
    expect(second.output(0)).to_contain_text("begun")
    held.open()
    expect(second.output(0)).to_contain_text("42")


def test_a_copy_with_the_same_name_keeps_its_own_outputs(
    lab: JupyterServer, new_page: Callable[[], Page], held: Gate
) -> None:
    (lab.folder / "runs").mkdir()
    file = lab.write_notebook("runs/copied.ipynb", held_cell(held, "original"))
    shutil.copy(file, lab.folder / "copied.ipynb")
    original = Notebook(new_page(), lab, "runs/copied.ipynb", "original")
    original.open()
    original.run(0)
    expect(original.output(0)).to_contain_text("begun")
    copy = Notebook(new_page(), lab, "copied.ipynb", "copy")
    copy.open()
    copy.page.evaluate(SETTLED)
    assert _outputs(copy, 0) == []


def test_a_cell_that_is_run_again_belongs_to_its_kernel(
    lab: JupyterServer, open_notebook: Callable[..., Notebook], held: Gate
) -> None:
    notebook = open_notebook(lab, held_cell(held, "again"))
    notebook.run(0)
    expect(notebook.output(0)).to_contain_text("begun")
    notebook.reload()
    expect(notebook.output(0)).to_contain_text("begun")
    notebook.run(0)
    notebook.page.wait_for_function(f"({OUTPUTS})(0).length === 0")
    held.open()
    notebook.wait_done(0)
    kinds = [output["output_type"] for output in _outputs(notebook, 0)]
    assert kinds[-2:] == ["stream", "execute_result"]
    assert len(kinds) <= 3


def test_a_kernel_that_died_leaves_a_hint(
    lab: JupyterServer, open_notebook: Callable[..., Notebook], held: Gate
) -> None:
    notebook = open_notebook(lab, held_cell(held, "orphan"), "import os; os.getpid()")
    notebook.run_to_end(1)
    kernel = int(_outputs(notebook, 1)[0]["data"]["text/plain"])
    notebook.run(0)
    expect(notebook.output(0)).to_contain_text("begun")
    os.kill(kernel, signal.SIGKILL)
    expect(notebook.page.get_by_text("appears to have died")).to_be_visible()
    notebook.page.keyboard.press("Enter")
    held.open()
    expect(notebook.output(0)).to_contain_text("went on")
    expect(notebook.output(0)).to_contain_text("42")
    expect(notebook.output(0)).to_contain_text("%cumulus attach")
