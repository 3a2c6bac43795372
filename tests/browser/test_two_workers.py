"""The sidebar with two real workers: each GPU with who holds how much of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.acceptance.containers import Gate, gate, swarm_settings
from tests.acceptance.gpu_workers import GpuWorkers
from tests.rig import Rig

from . import artefacts, axe
from .chrome import TALL
from .conftest import server
from .lab import JupyterServer
from .notebook import Notebook
from .parts import PANEL, Sidebar


@pytest.fixture(scope="module")
def swarm_lab(rig: Rig, job_image: str, _pages_built: None) -> Iterator[JupyterServer]:
    """A JupyterLab whose relay has the rig's Swarm; its workers have no GPUs yet, and none afterwards."""
    with server("lab", **swarm_settings(rig, job_image, container_slots=20)) as made:
        yield made


@pytest.fixture
def workers(rig: Rig, swarm_lab: JupyterServer) -> Iterator[GpuWorkers]:
    """Makes the rig's nodes workers with GPUs."""
    made = GpuWorkers(rig, swarm_lab.relay)
    yield made
    made.whole()
    made.forget()


@pytest.fixture
def held_there(rig: Rig) -> Iterator[Gate]:
    """Holds jobs on the rig's nodes up."""
    with gate(rig.runner_host) as opened:
        yield opened
        opened.open()


@pytest.mark.parametrize("scale", [2])
def test_shares_of_two_workers(
    swarm_lab: JupyterServer,
    workers: GpuWorkers,
    held_there: Gate,
    open_notebook: Callable[..., Notebook],
) -> None:
    relay = swarm_lab.relay
    for at, worker in enumerate(("worker1", "worker2"), 1):
        workers.add(worker, at, name="Pretended GPU", memory_mib=24576)
    notebook = open_notebook(swarm_lab, "%%cumulus --gpu 0.5 --name train\nmodel.fit(data)")
    notebook.page.set_viewport_size(TALL)
    sidebar = Sidebar(notebook.page).open()
    for worker in ("worker1", "worker2"):
        expect(sidebar.worker(worker)).to_contain_text("Pretended GPU")

    shares = {"train": 0.5, "embed": 0.3, "evaluate": 0.7, "sweep": 1}
    jobs = {
        name: relay.submit(held_there.question, name=name, resources={"gpu": gpu, "duration_s": 600})
        for name, gpu in shares.items()
    }
    for name in shares:
        expect(sidebar.job(name)).to_contain_text(re.compile("running.*MiB"))
    waiting = relay.submit("1", name="big", resources={"gpu": 1, "duration_s": 600})
    expect(sidebar.job("big")).to_contain_text("waiting for a whole GPU")
    for name, job_id in jobs.items():
        expect(sidebar.worker(relay.job(job_id)["worker"])).to_contain_text(name)
    artefacts.picture(notebook.page, "sidebar-two-workers")
    artefacts.picture(sidebar.root, "sidebar-two-workers-alone")
    found = axe.grave(notebook.page, PANEL)

    notebook.page.evaluate("() => { window.jupyterapp.commands.execute('cumulus:add-worker'); }")
    dialog = notebook.page.get_by_role("dialog")
    expect(dialog).to_contain_text("setup-worker.sh")
    artefacts.picture(notebook.page, "add-worker")
    found += axe.grave(notebook.page, ".jp-Dialog-content")
    notebook.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)

    held_there.open()
    for job_id in (*jobs.values(), waiting):
        assert relay.wait_end(job_id)["state"] == "COMPLETED", swarm_lab.log[-4000:]
    for name in (*shares, "big"):
        expect(sidebar.job(name)).to_contain_text("done")
    assert not found, "\n".join(found)
