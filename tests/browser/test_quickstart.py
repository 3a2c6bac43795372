"""The first notebook, typed by hand: every output in its place, a card only where there is a wait."""

from __future__ import annotations

import re
from collections.abc import Callable

import nbformat
from playwright.sync_api import expect

from tests.acceptance.containers import Gate

from .artefacts import ROOT
from .cells import held as held_cell
from .lab import JupyterServer
from .notebook import Notebook
from .parts import CARD, Card


def _sources() -> list[str]:
    cells = nbformat.read(ROOT / "notebooks" / "quickstart.ipynb", as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "code"]


def test_the_quickstart_typed_by_hand(lab: JupyterServer, open_notebook: Callable[..., Notebook]) -> None:
    notebook = open_notebook(lab, "")
    sources = _sources()
    for at, source in enumerate(sources):
        notebook.type(at, source)
        notebook.run_to_end(at)
    file = notebook.save()
    cells = [cell for cell in file["cells"] if "".join(cell["source"])]
    assert ["".join(cell["source"]) for cell in cells] == sources
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error"], outputs
    kept = [mime for output in outputs for mime in output.get("data", {})]
    assert "image/png" in kept, "the figure"
    assert not [mime for mime in kept if "widget-view" in mime or "vnd.cumulus" in mime]
    expect(notebook.output(len(sources) - 1)).to_contain_text("5 losses came back")
    trained = notebook.output(len(sources) - 2)
    expect(trained).to_contain_text("epoch 4: loss")


def test_a_quick_cell_shows_no_card(lab: JupyterServer, open_notebook: Callable[..., Notebook]) -> None:
    # Quick is what this test calls so, however much else the machine has to do.
    unhurried = "from cumulus_jupyter.view import notebook_view\nnotebook_view.APPEARS_AFTER_S = 3600"
    notebook = open_notebook(lab, unhurried, "%%cumulus\nprint(1 + 1)")
    notebook.run_to_end(0)
    # Every card that is there for a moment, too, leaves its trace.
    notebook.page.evaluate(
        """card => {
          window.cards = 0;
          new MutationObserver(() => { window.cards += document.querySelectorAll(card).length; })
            .observe(document.body, { childList: true, subtree: true });
        }""",
        CARD,
    )
    notebook.run_to_end(1)
    expect(notebook.output(1)).to_have_text("2")
    assert notebook.page.evaluate("() => window.cards") == 0


def test_a_card_is_there_while_a_cell_runs(
    lab: JupyterServer, open_notebook: Callable[..., Notebook], held: Gate
) -> None:
    notebook = open_notebook(lab, held_cell(held, "slow", "--gpu 0.5"))
    notebook.run(0)
    card = Card(notebook.output(0))
    expect(card.root).to_contain_text("running")
    expect(card.root).to_contain_text("slow")
    expect(card.root).to_contain_text("0.5")
    # Its time goes on.
    expect(card.root).to_contain_text(re.compile(r"0:0[1-9]|0:[1-9]\d|[1-9]:\d\d"))
    expect(notebook.output(0)).to_contain_text("begun")
    top, text = card.root.bounding_box(), notebook.output(0).get_by_text("begun").bounding_box()
    assert top and text and top["y"] + top["height"] <= text["y"], "outputs are under the card"
    held.open()
    notebook.wait_done(0)
    expect(card.cancel_button).to_have_count(0)
    expect(notebook.output(0)).to_contain_text("done")
    expect(notebook.output(0)).to_contain_text("42")
