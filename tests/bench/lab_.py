"""What the JupyterLab extension adds: bytes to load, and time until JupyterLab is there.

The peer of the size is ipywidgets' own extension, which most JupyterLabs have. The time is from the
navigation to JupyterLab restored with its launcher in sight: with nothing cached, and again with all that the
browser keeps. Beside it stands what the page's main thread had of a processor until then, which other work
of the machine does not make longer.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, CDPSession, Page

from tests.browser.chrome import chromium, open_page
from tests.browser.lab import JupyterServer
from tests.homes import Home
from tests.rig import provision

from .measure import Measurement, latency

ROUNDS = 7
OURS = "cumulus-lab"
EXTENSIONS = Path(sys.prefix) / "share" / "jupyter" / "labextensions"
PEER = EXTENSIONS / "@jupyter-widgets" / "jupyterlab-manager"
_STARTED = """async () => {
  await window.jupyterapp.restored;
  return performance.now();
}"""


def main() -> None:
    """Sizes, then both JupyterLabs in turns."""
    provision.browser()
    provision.pages()
    for line in sizes():
        print(line.line(), flush=True)
    home = Path(tempfile.mkdtemp(prefix="cumulus-plain-"))
    servers = {
        "with": JupyterServer(Home(Path.home()), "lab", {}),
        "without": JupyterServer(Home(home), "lab", {}),
    }
    leave_out(home)
    try:
        for server in servers.values():
            server.start()
        with chromium() as browser:
            times = starts(browser, servers)
    finally:
        for server in servers.values():
            server.stop()
        shutil.rmtree(home, ignore_errors=True)
    for what in ("first", "again", "first, processor", "again, processor"):
        ours, peer = times["with", what], times["without", what]
        print(latency(f"lab start {what}", ours, peer, "JupyterLab without it").line(), flush=True)


def sizes() -> list[Measurement]:
    """On disk; and what a page loads of it, compressed."""
    ours = EXTENSIONS / OURS
    found = []
    for name, of in (("lab size", disk_kib), ("lab size gzip", loaded_kib)):
        more = {"files": len(_files(ours)), "peer_files": len(_files(PEER))}
        found.append(Measurement(name, of(ours), of(PEER), "ipywidgets' extension", "KiB", more))
    return found


def disk_kib(folder: Path) -> float:
    """All of it."""
    return sum(path.stat().st_size for path in _files(folder)) / 1024


def loaded_kib(folder: Path) -> float:
    """Its scripts, each compressed as a server would."""
    scripts = [path.read_bytes() for path in _files(folder) if path.suffix == ".js"]
    return sum(len(gzip.compress(each, 6)) for each in scripts) / 1024


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.resolve().rglob("*") if path.is_file()]


def leave_out(home: Path) -> None:
    """Let the JupyterLab of this home have all extensions but ours."""
    place = home / "labextensions"
    for found in EXTENSIONS.iterdir():
        if found.name != OURS:
            place.mkdir(exist_ok=True)
            (place / found.name).symlink_to(found.resolve())
    settings = {"LabApp": {"labextensions_path": [str(place)], "extra_labextensions_path": []}}
    (home / ".jupyter" / "jupyter_lab_config.json").write_text(json.dumps(settings))


def starts(browser: Browser, servers: dict[str, JupyterServer]) -> dict[tuple[str, str], list[float]]:
    """Milliseconds, in turns, so that what else the machine does falls on both."""
    times: dict[tuple[str, str], list[float]] = {}
    for at in range(ROUNDS + 1):
        for name, server in servers.items():
            page = open_page(browser)
            metrics = page.context.new_cdp_session(page)
            metrics.send("Performance.enable", {"timeDomain": "threadTicks"})
            for what, query in (("first", f"?token={server.token}"), ("again", "")):
                page.goto(f"{server.url}lab{query}")
                took_ms = started(page, name == "with")
                cpu_ms = main_thread_ms(metrics)
                if at:  # The first of each reads files that nobody has read before.
                    times.setdefault((name, what), []).append(took_ms)
                    times.setdefault((name, f"{what}, processor"), []).append(cpu_ms)
            page.context.close()
    return times


def main_thread_ms(metrics: CDPSession) -> float:
    """What the main thread of the page that is shown has had of a processor."""
    told = {each["name"]: each["value"] for each in metrics.send("Performance.getMetrics")["metrics"]}
    return float(told["TaskDuration"]) * 1e3


def started(page: Page, has_ours: bool) -> float:
    """When JupyterLab was there, on the page's own clock; fails where it is not the one that was meant."""
    page.wait_for_function("() => window.jupyterapp?.restored")
    ms: float = page.evaluate(_STARTED)
    page.locator(".jp-Launcher").wait_for()
    assert has(page) == has_ours
    return ms


def has(page: Page) -> bool:
    """Whether our extension is there."""
    found: bool = page.evaluate(
        "() => window.jupyterapp.listPlugins().some(id => id.startsWith('cumulus-lab:'))"
    )
    return found


if __name__ == "__main__":
    main()
