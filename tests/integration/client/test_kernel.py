"""In a real kernel: the Stop button, and outputs that go to the cell they belong to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from cumulus_jupyter.client.api import CumulusClient

LIMIT_S = 60.0


@dataclass
class Cell:
    """What one execution showed: message types and their text, in order."""

    shown: list[tuple[str, str]] = field(default_factory=list)
    error: str = ""
    seconds_after_stop: float = 0.0

    def text(self, kind: str) -> str:
        return "".join(text for found, text in self.shown if found == kind)


class Notebook:
    """A kernel, and the messages that its cells cause."""

    def __init__(self, client: BlockingKernelClient, manager: KernelManager) -> None:
        self.client, self.manager = client, manager

    def run(self, source: str, stop_at: str = "", again_after_s: float = 0) -> Cell:
        """Execute a cell; press Stop when it prints ``stop_at``, and again a while later."""
        cell = Cell()
        asked = self.client.execute(source, allow_stdin=True)
        stopped = 0.0
        while True:
            message = self.client.get_iopub_msg(timeout=LIMIT_S)
            if message["parent_header"].get("msg_id") != asked:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                cell.seconds_after_stop = time.monotonic() - stopped
                return cell
            if kind == "error":
                cell.error = f"{content['ename']}: {content['evalue']}"
            self._note(cell, kind, content)
            if stop_at and stop_at in cell.text("stdout") and not stopped:
                stopped = time.monotonic()
                self.manager.interrupt_kernel()
                if again_after_s:
                    time.sleep(again_after_s)
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


SLEEPER = """%%cumulus
import time
try:
    print('begun', flush=True)
    time.sleep(60)
finally:
    print('cleaned up')
"""


def test_stop_lets_the_code_clean_up_and_ends_the_cell(notebook: Notebook, client: CumulusClient) -> None:
    cell = notebook.run(SLEEPER, stop_at="begun")
    assert cell.error == "JobInterrupted: The job was cancelled"
    assert cell.text("stdout") == "begun\ncleaned up\n"
    assert cell.seconds_after_stop < 1.5
    assert client.jobs(limit=1)[0].view.state == "CANCELLED"


def test_a_cell_whose_code_takes_its_time_ends_all_the_same(
    notebook: Notebook, client: CumulusClient
) -> None:
    cell = notebook.run(SLEEPER.replace("print('cleaned", "time.sleep(2); print('cleaned"), stop_at="begun")
    assert "being cancelled" in cell.error
    assert cell.seconds_after_stop < 1.5
    job = client.jobs(limit=1)[0]
    assert any(getattr(event, "text", "") == "cleaned up\n" for event in job.events())


def test_a_second_stop_detaches_at_once(notebook: Notebook) -> None:
    cell = notebook.run(
        SLEEPER.replace("print('cleaned", "time.sleep(2); print('cleaned"), stop_at="begun", again_after_s=0.1
    )
    assert "no longer followed" in cell.error
    assert cell.seconds_after_stop < 0.7


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
    assert cell.shown[0][1].startswith("[slow · running")
    assert "[slow · done" in cell.shown[-1][1]
