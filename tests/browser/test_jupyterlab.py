"""What the other browser tests stand on: a page of JupyterLab whose kernel runs cells."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from .lab import JupyterServer
from .notebook import Notebook


def test_a_blank_page_imports_the_working_tree(page: Page) -> None:
    assert page.evaluate("() => document.title") == "A blank page"
    assert page.evaluate("async () => (await fetch('/README.md')).ok")
    assert page.evaluate("async () => (await fetch('/no-such-file')).status") == 404


def test_a_notebook_runs_its_cells(lab: JupyterServer, open_notebook: Callable[..., Notebook]) -> None:
    notebook = open_notebook(lab, "%load_ext cumulus_jupyter", "")
    notebook.run_to_end(0)
    notebook.type(1, "%%cumulus\nprint('hello', 6 * 7)")
    notebook.run_to_end(1)
    expect(notebook.output(1)).to_contain_text("hello 42")
