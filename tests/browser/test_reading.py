"""The notebook that is left reads well: closed, without widgets, and as HTML."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.acceptance.containers import Gate
from tests.patience import LIMIT_S

from .cells import held as held_cell
from .lab import JupyterServer
from .notebook import Notebook
from .parts import Card

_LIVE = ("application/vnd.jupyter.widget-view+json", "application/vnd.cumulus.job+json")


def _finished(lab: JupyterServer, open_notebook: Callable[..., Notebook], held: Gate) -> Notebook:
    notebook = open_notebook(lab, held_cell(held, "readable"), "%%cumulus --name broken\n{}['missing']")
    notebook.run(0)
    expect(notebook.output(0)).to_contain_text("begun")
    expect(Card(notebook.output(0)).root).to_contain_text("running")
    held.open()
    notebook.wait_done(0)
    notebook.run_to_end(1)
    return notebook


def test_a_finished_notebook_reads_well(
    lab: JupyterServer, open_notebook: Callable[..., Notebook], new_page: Callable[[], Page], held: Gate
) -> None:
    notebook = _finished(lab, open_notebook, held)
    file = notebook.save()
    kept = [output.get("data", {}) for cell in file["cells"] for output in cell["outputs"]]
    assert not [mime for data in kept for mime in data if mime in _LIVE]
    assert "widgets" not in file["metadata"]
    quiet = next(data for data in kept if "readable" in str(data.get("text/plain")))
    assert "done" in str(quiet["text/plain"]) and "text/html" in quiet, quiet
    assert "running" not in json.dumps(kept)
    assert file["cells"][1]["outputs"][-1]["ename"] == "KeyError"

    _as_html(notebook, new_page())
    _without_extensions(lab, notebook)


def _as_html(notebook: Notebook, page: Page) -> None:
    """nbconvert's page, with scripts off."""
    command = [sys.executable, "-m", "nbconvert", "--to", "html", notebook.file.name]
    done = subprocess.run(
        command,
        cwd=notebook.file.parent,
        env=notebook.server.home.environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    html = notebook.file.with_suffix(".html").read_text()
    assert "Failed to load model" not in html and "widget-view" not in html
    page.route("**/*", lambda route: route.abort())
    page.set_content(html)
    for words in ("readable", "done", "begun", "went on", "42", "KeyError"):
        expect(page.locator("body")).to_contain_text(words)


def _without_extensions(lab: JupyterServer, notebook: Notebook) -> None:
    """JupyterLab where neither our extension nor the one for widgets is loaded."""
    config = lab.home.path / ".jupyter" / "labconfig" / "page_config.json"
    config.parent.mkdir(parents=True, exist_ok=True)
    disabled = {"cumulus-lab": True, "@jupyter-widgets/jupyterlab-manager": True, "anywidget": True}
    config.write_text(json.dumps({"disabledExtensions": disabled}))
    try:
        notebook.reload()
        for words in ("readable", "done", "begun", "went on", "42"):
            expect(notebook.output(0)).to_contain_text(words)
        expect(notebook.output(1)).to_contain_text("KeyError")
        expect(notebook.panel).not_to_contain_text("Error displaying widget")
    finally:
        config.unlink()
