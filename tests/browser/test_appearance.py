"""How it looks, light and dark: pictures to be looked at, and axe-core's opinion of the same pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.acceptance.containers import Gate
from tests.homes import wait_for
from tests.patience import LIMIT_S

from . import artefacts, axe
from .chrome import NARROW, SIZE, Scheme
from .lab import JupyterServer
from .notebook import Notebook
from .parts import CARD, PANEL, Card, Sidebar

pytestmark = [
    pytest.mark.parametrize("scale", [2]),
    pytest.mark.parametrize("color_scheme", ["light", "dark"]),
]

_MODEL = """\
import time
import numpy as np
from cumulus_jupyter import progress

class Model:
    def __init__(self):
        self.losses = []

    def step(self, epoch):
        time.sleep(0.02 if epoch < 26 else 120)
        self.losses.append(2.3 * np.exp(-epoch / 12) + 0.05 * np.cos(epoch))
        return self.losses[-1]

model = Model()"""
_TRAIN = """\
%%cumulus --gpu 0.5 --name train
for epoch in progress(range(40), label="training", unit="epochs"):
    loss = model.step(epoch)
    print(f"epoch {epoch + 1:2d}  \\x1b[32mloss {loss:.4f}\\x1b[0m")"""
_PLOT = """\
%%cumulus --gpu 0.5 --name evaluate
import matplotlib.pyplot as plt

time.sleep(0.8)
print("20 steps on half a GPU")
for epoch in range(20):
    model.step(epoch)
plt.figure(figsize=(5, 2.4))
plt.plot(model.losses)
plt.xlabel("epoch"); plt.ylabel("loss");"""
_BREAK = """\
%%cumulus --gpu 0.5 --name convert
time.sleep(0.8)
print("reading samples.csv")
batch = {"x": [1, 2, 3]}
batch["y"]"""


@pytest.fixture
def grave() -> Iterator[list[str]]:
    """Takes what axe-core finds; the test fails at its end if there is anything."""
    found: list[str] = []
    yield found
    assert not found, "\\n".join(found)


@pytest.fixture
def follows_system(lab: JupyterServer) -> None:
    """JupyterLab's theme is the one that the system asks for."""
    lab.setting("@jupyterlab/apputils-extension", "themes", {"adaptive-theme": True})


def _open(open_notebook: Callable[..., Notebook], lab: JupyterServer, name: str, *sources: str) -> Notebook:
    """A notebook of that name, without the file browser beside it."""
    notebook = open_notebook(lab, *sources, name=name)
    notebook.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    return notebook


def test_a_running_job(
    color_scheme: Scheme,
    lab: JupyterServer,
    follows_system: None,
    open_notebook: Callable[..., Notebook],
    grave: list[str],
) -> None:
    notebook = _open(open_notebook, lab, f"training-{color_scheme}", _MODEL, _TRAIN)
    notebook.run_to_end(0)
    notebook.run(1)
    card = Card(notebook.output(1))
    expect(card.root).to_contain_text("of 40 epochs")
    expect(notebook.output(1)).to_contain_text("epoch 26")
    artefacts.picture(notebook.page, f"running-{color_scheme}")
    notebook.page.set_viewport_size(NARROW)
    artefacts.picture_of_top(notebook.cell(1), f"card-{color_scheme}", 300)
    notebook.page.set_viewport_size(SIZE)
    card.log_button.click()
    expect(card.log).to_contain_text("epoch 26")
    grave += axe.grave(notebook.page, CARD)
    artefacts.picture(notebook.page, f"log-open-{color_scheme}")

    sidebar = Sidebar(notebook.page).open()
    expect(sidebar.job("train")).to_contain_text("running")
    artefacts.picture(notebook.page, f"sidebar-{color_scheme}")
    grave += axe.grave(notebook.page, PANEL)
    sidebar.job("train").get_by_role("button", name="Log").click()
    tab = notebook.page.locator(".cumulus-lab-log:visible")
    expect(tab.get_by_role("log")).to_contain_text("epoch 26")
    artefacts.picture(notebook.page, f"log-tab-{color_scheme}")
    grave += axe.grave(notebook.page, ".cumulus-lab-log")
    sidebar.job("train").get_by_role("button", name="Cancel").click()
    expect(sidebar.job("train")).to_contain_text("cancelled")


def test_jobs_that_have_ended(
    color_scheme: Scheme,
    lab: JupyterServer,
    follows_system: None,
    open_notebook: Callable[..., Notebook],
    grave: list[str],
) -> None:
    notebook = _open(open_notebook, lab, f"evaluation-{color_scheme}", _MODEL, _PLOT, _BREAK)
    for at in range(3):
        notebook.run_to_end(at)
    expect(notebook.output(2)).to_contain_text("failed")
    artefacts.picture(notebook.page, f"failed-{color_scheme}")
    notebook.save()
    notebook.reload()
    expect(notebook.output(1)).to_contain_text("done")
    expect(notebook.output(1).locator("img")).to_be_visible()
    notebook.cell(0).scroll_into_view_if_needed()
    artefacts.picture(notebook.page, f"finished-reopened-{color_scheme}")
    grave += axe.grave(notebook.page, ".jp-RenderedHTML")


def test_a_queue(
    color_scheme: Scheme,
    lab: JupyterServer,
    follows_system: None,
    open_notebook: Callable[..., Notebook],
    held: Gate,
    grave: list[str],
) -> None:
    first = [
        lab.relay.submit(held.question, name=name, resources={"gpu": gpu, "duration_s": 600})
        for name, gpu in (("pretrain", 1), ("tune", 0.7), ("baseline", 1))
    ]
    notebook = _open(open_notebook, lab, f"queue-{color_scheme}", _MODEL, _TRAIN)
    notebook.run_to_end(0)
    notebook.run(1)
    card = Card(notebook.output(1))
    expect(card.root).to_contain_text("queue")
    sidebar = Sidebar(notebook.page).open()
    expect(sidebar.job("train")).to_contain_text("queue")
    artefacts.picture(notebook.page, f"queue-{color_scheme}")
    grave += axe.grave(notebook.page, CARD, PANEL)
    notebook.stop()
    held.open()
    for job in first:
        assert wait_for(lambda job=job: lab.relay.job(job)["ended_ms"], LIMIT_S, 0.1)
