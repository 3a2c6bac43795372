"""Execute one notebook and print what its cells print, as it comes. Used by ``make run``.

Ends with ``NAME: N cells, M failed``; the exit status is 1 where a cell failed that was not meant to.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

#: A cell with this tag is there to show an error.
MAY_FAIL = "raises-exception"
BOLD, DIM, PLAIN = ("\x1b[1m", "\x1b[2m", "\x1b[0m") if sys.stdout.isatty() else ("", "", "")


class Printer(NotebookClient):
    """Runs the cells in order and writes each output to the terminal when it arrives."""

    def output(self, outs: Any, msg: dict[str, Any], display_id: str | None, cell_index: int) -> Any:
        """Called by nbclient for each output message."""
        show(msg["msg_type"], msg["content"])
        return super().output(outs, msg, display_id, cell_index)


def show(kind: str, content: dict[str, Any]) -> None:
    """One output message, as text."""
    if kind == "stream":
        stream = sys.stderr if content["name"] == "stderr" else sys.stdout
        stream.write(content["text"])
        stream.flush()
    elif kind in ("display_data", "execute_result", "update_display_data"):
        data = content["data"]
        print(data.get("text/plain") or f"<{', '.join(data)}>", flush=True)
    elif kind == "error":
        print("\n".join(content["traceback"]), flush=True)


def run(path: Path, timeout_s: int, save: bool) -> int:
    """Execute the notebook at ``path``; the number of cells that failed. ``save`` keeps the outputs."""
    notebook = nbformat.read(path, as_version=4)
    manager = KernelManager(kernel_name="python3")
    # This interpreter, whatever a kernel specification of the user's says.
    assert manager.kernel_spec is not None
    manager.kernel_spec.argv[0] = sys.executable
    manager.kernel_spec.argv.append("--log-level=ERROR")
    where = {"metadata": {"path": str(path.parent)}}
    client = Printer(notebook, km=manager, timeout=timeout_s, resources=where)
    try:
        with client.setup_kernel():
            outcomes = [run_cell(client, index) for index in range(len(notebook.cells))]
    finally:
        manager.shutdown_kernel(now=True)
    if save:
        store(notebook, path)
    ran = [outcome for outcome in outcomes if outcome is not None]
    print(f"\n{path.stem}: {len(ran)} cells, {ran.count(False)} failed")
    return ran.count(False)


def run_cell(client: Printer, index: int) -> bool | None:
    """Print and execute one cell: whether it went as it should; ``None`` where there is no code."""
    cell = client.nb.cells[index]
    if cell.cell_type == "markdown":
        print(f"\n{BOLD}{cell.source}{PLAIN}", flush=True)
    if cell.cell_type != "code" or not cell.source.strip():
        return None
    source = "\n".join(f"> {line}" for line in cell.source.splitlines())
    print(f"\n{DIM}{source}{PLAIN}", flush=True)
    try:
        client.execute_cell(cell, index)
    except CellExecutionError:
        return MAY_FAIL in cell.metadata.get("tags", [])
    return True


def store(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Write the notebook with its outputs, without what differs on every run."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata.pop("language_info", None)
    nbformat.write(notebook, path)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--timeout", type=int, default=600, help="seconds that one cell may take")
    parser.add_argument("--save", action="store_true", help="keep the outputs, plain and stable, in it")
    options = parser.parse_args()
    if options.save:
        os.environ["CUMULUS_VIEW"] = "plain"
    return 1 if run(options.notebook, options.timeout, options.save) else 0


if __name__ == "__main__":
    sys.exit(main())
