"""A real Chromium, and a real JupyterLab to look at with it.

A running sync Playwright holds an event loop in this thread, over which other modules' asynchronous tests
would stumble: so browser and servers live as long as one module.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.acceptance.containers import Gate, gate
from tests.homes import fresh_home
from tests.rig import provision

from . import artefacts, chrome
from .lab import App, JupyterServer
from .notebook import Notebook

_HERE = Path(__file__).parent
_LEFT_OUT = pytest.StashKey[int]()
#: Servers whose log tells why a test has failed.
_running: list[JupyterServer] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        artefacts.note_failure(item)
    return report


@pytest.fixture(autouse=True)
def _server_logs(request: pytest.FixtureRequest) -> Iterator[None]:
    """What the servers wrote, beside the pages of a test that fails."""
    yield
    if artefacts.failed(request.node):
        for server in _running:
            (artefacts.place_of(request.node) / f"{server.app}-server.txt").write_text(server.log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let these tests come after the others; leave them out where no browser can be had.

    In continuous integration they fail there.
    """
    items.sort(key=_is_here)
    if os.environ.get("CI") or provision.can_browse():
        return
    left_out = [item for item in items if _is_here(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not _is_here(item)]
    config.stash[_LEFT_OUT] = len(left_out)


def _is_here(item: pytest.Item) -> bool:
    return _HERE in item.path.parents


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if left_out := config.stash.get(_LEFT_OUT, 0):
        terminalreporter.write_line(
            f"{left_out} tests of the browser were left out: {provision.HOW_TO_BROWSE}"
        )


@pytest.fixture(scope="session")
def _browser_there() -> None:
    """Debian's Chromium; a moment where it is installed."""
    _have(provision.browser)


@pytest.fixture(scope="session")
def _pages_built() -> None:
    """What JupyterLab loads of this working tree; a moment where nothing has changed."""
    _have(provision.pages)


def _have(step: Callable[[], None]) -> None:
    try:
        step()
    except provision.Lacking as lacking:
        pytest.fail(str(lacking), pytrace=False)


@pytest.fixture(scope="module")
def browser(_browser_there: None) -> Iterator[Browser]:
    """A Chromium with an empty profile."""
    with chrome.chromium() as started:
        yield started


@pytest.fixture
def color_scheme() -> chrome.Scheme:
    """What the system asks pages for; a test may be parametrised with another one."""
    return "light"


@pytest.fixture
def scale() -> float:
    """Pixels of a CSS pixel; 2 for pictures that are to be looked at."""
    return 1


@pytest.fixture
def new_page(
    browser: Browser, color_scheme: chrome.Scheme, scale: float, request: pytest.FixtureRequest
) -> Iterator[Callable[[], Page]]:
    """Opens pages, each with cookies and storage of its own, that are closed after the test."""
    witnesses: list[artefacts.Witness] = []

    def opened() -> Page:
        made = chrome.open_page(browser, color_scheme, scale)
        witnesses.append(artefacts.Witness(made, f"page{len(witnesses) + 1}"))
        return made

    yield opened
    for witness in witnesses:
        if artefacts.failed(request.node):
            witness.tell(artefacts.place_of(request.node))
        witness.page.context.close()


@pytest.fixture
def page(new_page: Callable[[], Page]) -> Page:
    """A blank page, which may import the working tree's modules."""
    made = new_page()
    chrome.blank(made)
    return made


@contextlib.contextmanager
def server(
    app: App, environment: Mapping[str, str] | None = None, **settings: object
) -> Iterator[JupyterServer]:
    """A server of its own home, whose log is kept where a test fails; ``settings`` are its relay's."""
    with fresh_home() as home:
        made = JupyterServer(home, app, environment or {}, **settings)
        _running.append(made)
        try:
            made.start()
            yield made
            # They would go on without their relay, for one that is started again.
            made.cancel_jobs()
        finally:
            made.stop()
            _running.remove(made)


@pytest.fixture(scope="module")
def lab(_pages_built: None) -> Iterator[JupyterServer]:
    """A JupyterLab whose relay has two simulated GPUs, shared by a module's tests."""
    with server("lab") as made:
        yield made


@pytest.fixture(scope="module")
def notebook7(_pages_built: None) -> Iterator[JupyterServer]:
    """Likewise, Notebook 7."""
    with server("notebook") as made:
        yield made


@pytest.fixture
def open_notebook(new_page: Callable[[], Page], request: pytest.FixtureRequest) -> Callable[..., Notebook]:
    """``open_notebook(server, *sources)``: a notebook with these cells, shown with its kernel connected."""
    count = 0

    def opened(server: JupyterServer, *sources: str, page: Page | None = None, name: str = "") -> Notebook:
        nonlocal count
        count += 1
        # One that another test has opened still has its kernel.
        words = re.findall(r"[a-z0-9]+", name or request.node.name.removeprefix("test_"))
        unique = "-".join([*words, str(count)]) if not name or count > 1 else name
        server.write_notebook(f"{unique}.ipynb", *sources)
        made = Notebook(page or new_page(), server, f"{unique}.ipynb", unique)
        made.open()
        return made

    return opened


@pytest.fixture
def held() -> Iterator[Gate]:
    """Holds jobs up until the test lets them go on; at its end at the latest."""
    with gate("127.0.0.1") as opened:
        yield opened
        opened.open()
