"""In a real kernel: the Stop button, and outputs that go to the cell they belong to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from cumulus_jupyter.client.api import CumulusClient
from cumulus_jupyter.client.job import Job
from tests.patience import LIMIT_S


@dataclass
class Cell:
    """What one execution showed: message types and their text, in order."""

    shown: list[tuple[str, str]] = field(default_factory=list)
    error: str = ""

    def text(self, kind: str) -> str:
        return "".join(text for found, text in self.shown if found == kind)


class Notebook:
    """A kernel, and the messages that its cells cause."""

    def __init__(self, client: BlockingKernelClient, manager: KernelManager) -> None:
        self.client, self.manager = client, manager

    def run(self, source: str, stop_at: tuple[str, ...] = ()) -> Cell:
        """Execute a cell; press Stop each time it has printed the next of ``stop_at``."""
        cell = Cell()
        stops = list(stop_at)
        asked = self.client.execute(source, allow_stdin=True)
        while True:
            message = self.client.get_iopub_msg(timeout=LIMIT_S)
            if message["parent_header"].get("msg_id") != asked:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return cell
            if kind == "error":
                cell.error = f"{content['ename']}: {content['evalue']}"
            self._note(cell, kind, content)
            if stops and stops[0] in cell.text("stdout"):
                stops.pop(0)
                self.manager.interrupt_kernel()

    def _note(self, cell: Cell, kind: str, content: dict[str, Any]) -> None:
        if kind == "stream":
            cell.shown.append((content["name"], content["text"]))
        elif kind in ("display_data", "execute_result", "update_display_data"):
            cell.shown.append((kind, content["data"]["text/plain"]))
        elif kind == "clear_output":
            cell.shown.append((kind, ""))


@pytest.fixture(scope="module")
def notebook(client: CumulusClient) -> Iterator[Notebook]:
    _ = client.found
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    kernel = manager.client()
    kernel.start_channels()
    kernel.wait_for_ready(timeout=LIMIT_S)
    notebook = Notebook(kernel, manager)
    notebook.run("%load_ext cumulus_jupyter\n%cumulus config view=plain")
    yield notebook
    kernel.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def gate(notebook: Notebook, tmp_path: Path) -> Iterator[Path]:
    """A file that a cell's cleaning up waits for."""
    notebook.run(
        "from cumulus_jupyter import cell as following\n"
        "usual = following.LAST_WORDS_S, following.CANCEL_LIMIT_S\n"
        f"following.CANCEL_LIMIT_S = {LIMIT_S}"
    )
    yield tmp_path / "gate"
    notebook.run("following.LAST_WORDS_S, following.CANCEL_LIMIT_S = usual")


def cleaning_up(gate: Path) -> str:
    """A cell that takes its time to end: until there is the file."""
    return f"""%%cumulus
import os, time
try:
    print('begun', flush=True)
    time.sleep(600)
finally:
    print('cleaning up', flush=True)
    while not os.path.exists({str(gate)!r}):
        time.sleep(0.01)
    print('cleaned up')
"""


def said(job: Job) -> str:
    """All that the job has printed by its end."""
    return "".join(getattr(event, "text", "") for event in job.events())


def test_stop_lets_the_code_clean_up_and_ends_the_cell(
    notebook: Notebook, client: CumulusClient, gate: Path
) -> None:
    notebook.run(f"following.LAST_WORDS_S = {LIMIT_S}")
    gate.touch()
    cell = notebook.run(cleaning_up(gate), stop_at=("begun",))
    assert cell.error == "JobInterrupted: The job was cancelled"
    assert cell.text("stdout") == "begun\ncleaning up\ncleaned up\n"
    assert client.jobs(limit=1)[0].view.state == "CANCELLED"


def test_a_cell_whose_code_takes_its_time_ends_all_the_same(
    notebook: Notebook, client: CumulusClient, gate: Path
) -> None:
    """The cell ends while the job cleans up."""
    cell = notebook.run(cleaning_up(gate), stop_at=("begun",))
    gate.touch()
    assert "being cancelled" in cell.error
    assert said(client.jobs(limit=1)[0]) == "begun\ncleaning up\ncleaned up\n"


def test_a_second_stop_detaches_at_once(notebook: Notebook, client: CumulusClient, gate: Path) -> None:
    """However long the first would have waited."""
    notebook.run(f"following.LAST_WORDS_S = {10 * LIMIT_S}")
    cell = notebook.run(cleaning_up(gate), stop_at=("begun", "cleaning up"))
    gate.touch()
    assert "no longer followed" in cell.error
    assert said(client.jobs(limit=1)[0]) == "begun\ncleaning up\ncleaned up\n"


def test_a_kernel_that_is_restarted_leaves_its_job_alone(
    notebook: Notebook, client: CumulusClient, tmp_path: Path
) -> None:
    """Nor does one that its Jupyter server ends: a job belongs to the relay."""
    gate = tmp_path / "gate"
    name = f"outlives-{tmp_path.name}"
    asked = notebook.client.execute(
        f"%%cumulus --name {name}\nimport os, time\nprint('begun', flush=True)\n"
        f"while not os.path.exists({str(gate)!r}):\n    time.sleep(0.01)\nfound = 42"
    )
    while True:
        message = notebook.client.get_iopub_msg(timeout=LIMIT_S)
        if message["parent_header"].get("msg_id") == asked and message["msg_type"] == "stream":
            break
    notebook.manager.restart_kernel()
    notebook.client.wait_for_ready(timeout=LIMIT_S)
    notebook.run("%load_ext cumulus_jupyter\n%cumulus config view=plain")
    assert client.find(name).state == "RUNNING"
    gate.touch()
    assert notebook.run(f"%cumulus attach {name}").text("stdout") == "begun\n"
    assert notebook.run("print(found)").text("stdout") == "42\n"


def test_the_next_cell_runs_as_ever(notebook: Notebook) -> None:
    assert notebook.run("%%cumulus\n1 + 1").shown == [("execute_result", "2")]


def test_rich_output_updates_and_clearing(notebook: Notebook) -> None:
    cell = notebook.run(
        "%%cumulus\nfrom IPython.display import clear_output, display\n"
        "handle = display('first', display_id=True)\nhandle.update('second')\nclear_output()\n"
        "display('third')"
    )
    assert [kind for kind, _ in cell.shown] == [
        "display_data",
        "update_display_data",
        "clear_output",
        "display_data",
    ]


def test_a_slow_cell_has_a_status_line_where_someone_looks_on(notebook: Notebook) -> None:
    notebook.run("%cumulus config view=live")
    try:
        cell = notebook.run("%%cumulus --name slow\nimport time\ntime.sleep(0.9)")
    finally:
        notebook.run("%cumulus config view=plain")
    lines = [text for _, text in cell.shown]
    assert all(line.startswith("[slow · ") for line in lines)
    assert any("running" in line for line in lines) and "done" in lines[-1]


def test_a_job_says_which_cell_of_which_notebook_it_is(notebook: Notebook, client: CumulusClient) -> None:
    notebook.client.session.metadata = {"cellId": "cell-7"}
    notebook.run("import os; os.environ['JPY_SESSION_NAME'] = '/srv/ann/fit.ipynb'")
    try:
        assert not notebook.run("%%cumulus\n1").error
    finally:
        notebook.client.session.metadata = {}
        notebook.run("del os.environ['JPY_SESSION_NAME']")
    origin = client.jobs(limit=1)[0].view.origin
    assert (origin.notebook, origin.cell) == ("/srv/ann/fit.ipynb", "cell-7")
    assert not notebook.run("%%cumulus\n2").error
    assert client.jobs(limit=1)[0].view.origin.cell == ""
