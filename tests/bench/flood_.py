"""A cell that prints 100,000 lines a second for ten seconds, in a real JupyterLab; ``%%px`` with the same.

Of the page: its tasks of 50 ms and more, in which nothing can be clicked, and the longest of them. Of the
notebook: its file once it is saved. Of the kernel and the server: how much memory they took at most beyond
what they had. And how long it takes from running the cell to seeing that it has ended.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, Error, Page, expect

from tests.browser.chrome import chromium, open_page
from tests.browser.lab import JupyterServer
from tests.browser.notebook import Notebook
from tests.browser.parts import Card
from tests.homes import Home
from tests.rig import provision

from .measure import Measurement

LINES_PER_S, SECONDS = 100_000, 10
LIMIT_S = 180
BODY = f"""import time
begin = time.monotonic()
for tenth in range({SECONDS * 10}):
    for step in range({LINES_PER_S // 10}):
        print(f"step {{step}} of epoch {{tenth}}: loss 0.6931")
    time.sleep(max(0, begin + (tenth + 1) / 10 - time.monotonic()))
print("reached", round({LINES_PER_S * SECONDS} / (time.monotonic() - begin)), "lines a second")
"""
OURS = f"%%cumulus --name flood\n{BODY}"
PEER = f"%%px\n{BODY}"
WARM_UP = "%%cumulus\nx = 1"
ENGINE = """import ipyparallel
cluster = ipyparallel.Cluster(n=1)
client = cluster.start_and_connect_sync(activate=True)"""
NO_ENGINE = "cluster.stop_cluster_sync()"
_WATCH = """() => {
  window.longTasks = [];
  new PerformanceObserver(list => window.longTasks.push(...list.getEntries().map(each => each.duration)))
    .observe({type: 'longtask'});
}"""
_ENDED = """at => {
  const cell = document.querySelector(`.jp-Notebook .jp-Cell[data-windowed-list-index='${at}']`);
  return /^\\[\\d+\\]:$/.test(cell?.querySelector('.jp-InputPrompt')?.textContent ?? '');
}"""
_SAVE = "() => window.jupyterapp.commands.execute('docmanager:save')"


@dataclass(frozen=True)
class Flood:
    """What one of the two has cost."""

    longest_ms: float
    long_tasks: int
    #: All of those together.
    blocked_ms: float
    file_kib: float
    kernel_mib: float
    server_mib: float
    total_s: float
    reached: str


def main() -> None:
    """Ours, then the other, each with a page and a kernel of its own."""
    provision.browser()
    provision.pages()
    server = JupyterServer(Home(Path.home()), "lab", {})
    server.start()
    try:
        with chromium() as browser:
            ours = {
                "flood": flood(browser, server, "ours", WARM_UP, OURS, ""),
                "flood, log open": flood(browser, server, "open", WARM_UP, OURS, "", log=True),
            }
            peer = flood(browser, server, "px", ENGINE, PEER, NO_ENGINE)
    finally:
        server.stop()
    for name, found in ours.items():
        for line in compared(name, found, peer):
            print(line.line(), flush=True)


def compared(name: str, ours: Flood, peer: Flood) -> list[Measurement]:
    """Each figure beside the peer's."""
    more = {"lines_per_s": ours.reached, "peer_lines_per_s": peer.reached, "lines": LINES_PER_S * SECONDS}
    figures = (
        ("longest task", "ms", ours.longest_ms, peer.longest_ms),
        ("all long tasks", "ms", ours.blocked_ms, peer.blocked_ms),
        ("long tasks", "tasks", ours.long_tasks, peer.long_tasks),
        ("notebook file", "KiB", ours.file_kib, peer.file_kib),
        ("kernel", "MiB", ours.kernel_mib, peer.kernel_mib),
        ("server", "MiB", ours.server_mib, peer.server_mib),
        ("to the end", "s", ours.total_s, peer.total_s),
    )
    return [
        # Nothing at all of the peer's would be no ratio.
        Measurement(f"{name}: {what}", left, max(right, 1e-3), "ipyparallel %%px", unit, more)
        for what, unit, left, right in figures
    ]


def flood(
    browser: Browser, server: JupyterServer, name: str, first: str, cell: str, last: str, log: bool = False
) -> Flood:
    """Run the cell after the first one, look at the page meanwhile; save. ``log``: open it in the card."""
    server.write_notebook(f"{name}.ipynb", first, cell, last)
    page = open_page(browser)
    notebook = Notebook(page, server, f"{name}.ipynb", name)
    notebook.open()
    notebook.wait_idle()
    notebook.run_to_end(0)
    processes = {"kernel": kernel_of(page), "server": process_of(server)}
    page.evaluate(_WATCH)
    with peaks(processes) as most:
        begin = time.monotonic()
        notebook.run(1)
        if cell is OURS:
            card = Card(notebook.output(1))
            expect(card.root).to_be_visible()
            if log and not card.log.is_visible():
                card.log_button.click()
                expect(card.log).to_be_visible()
        total_s = until_ended(page, begin)
        saved = True
        try:
            page.evaluate(_SAVE)
        except Error:  # The page's process is gone.
            saved = False
    tasks: list[float] = page.evaluate("() => window.longTasks") if saved else [LIMIT_S * 1000.0]
    reached = printed(notebook) if saved else "unknown: the page broke"
    if last and saved:
        notebook.run_to_end(2)
    size = notebook.file.stat().st_size
    page.context.close()
    return Flood(
        longest_ms=max(tasks, default=0.0),
        long_tasks=len(tasks),
        blocked_ms=sum(tasks),
        file_kib=size / 1024,
        kernel_mib=most["kernel"],
        server_mib=most["server"],
        total_s=total_s,
        reached=reached,
    )


def until_ended(page: Page, begin: float) -> float:
    """Seconds until the cell has its number, or until the page is given up, which is said on stderr."""
    try:
        page.wait_for_function(_ENDED, arg=1, timeout=LIMIT_S * 1000, polling=100)
    except Error as error:
        print(f"flood: the cell was not seen to end: {error.message}", file=sys.stderr)
    return time.monotonic() - begin


def printed(notebook: Notebook) -> str:
    """How fast the cell says that it has printed."""
    outputs = notebook.saved()["cells"][1]["outputs"]
    text = "".join("".join(output.get("text", "")) for output in outputs)
    return text.rpartition("reached ")[2].partition(" ")[0] or "not told"


def kernel_of(page: Page) -> int:
    """The process of the page's kernel."""
    kernel: str = page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.id"
    )
    found = [
        each for each in psutil.process_iter(["cmdline"]) if f"kernel-{kernel}" in " ".join(_words(each))
    ]
    return int(found[0].pid)


def process_of(server: JupyterServer) -> int:
    """The Jupyter server's process, with the relay in it."""
    runtime = server.home.path / ".local" / "share" / "jupyter" / "runtime"
    (told,) = runtime.glob("jpserver-*.json")
    return int(json.loads(told.read_text())["pid"])


def _words(process: Any) -> list[str]:
    words: list[str] = process.info["cmdline"] or []
    return words


@contextmanager
def peaks(processes: dict[str, int]) -> Iterator[dict[str, float]]:
    """MiB that each process takes at most meanwhile, beyond what it has now."""
    before: dict[str, float] = {}
    for name, pid in processes.items():
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # The highest it was is what it is now.
        before[name] = _status_mib(pid, "VmRSS")
    most: dict[str, float] = {}
    yield most
    for name, pid in processes.items():
        most[name] = _status_mib(pid, "VmHWM") - before[name]


def _status_mib(pid: int, field: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(field)


if __name__ == "__main__":
    main()
