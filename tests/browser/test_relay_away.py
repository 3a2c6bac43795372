"""A relay that dies and comes back: the page says so, goes on, and loses nothing."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.acceptance.containers import Gate, settle
from tests.acceptance.relays import RelayProcess
from tests.homes import fresh_home
from tests.ports import free_port

from .cells import held as held_cell
from .conftest import server
from .lab import JupyterServer
from .notebook import Notebook
from .parts import Card, Sidebar

#: Of the relay elsewhere, which keeps it when it is started again.
_TOKEN = secrets.token_hex(16)


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[RelayProcess]:
    """A headless relay in another home, as on another machine; started again it has the same address."""
    with fresh_home() as home:
        settle(home, executors=["process"], simulated_gpus=1)
        made = RelayProcess(home, f"--port={free_port()}")
        made.start(CUMULUS_TOKEN=_TOKEN)
        made.wait_ready()
        assert made.running, made.log
        yield made
        made.stop()


@pytest.fixture(scope="module")
def passing_on(elsewhere: RelayProcess, _pages_built: None) -> Iterator[JupyterServer]:
    """A JupyterLab that passes its pages' calls on to that relay."""
    told = elsewhere.home.relay()
    assert told is not None
    with server("lab", {"CUMULUS_TOKEN": _TOKEN}, relay_url=told["url"]) as made:
        yield made


def test_the_server_is_killed_and_started_again(
    lab: JupyterServer, open_notebook: Callable[..., Notebook], held: Gate
) -> None:
    notebook = open_notebook(lab, held_cell(held, "survivor"))
    notebook.run(0)
    expect(notebook.output(0)).to_contain_text("begun")
    card = Card(notebook.output(0))
    sidebar = Sidebar(notebook.page).open()
    expect(sidebar.job("survivor")).to_contain_text("running")
    lab.kill()
    expect(sidebar.away).to_be_visible()
    lab.start()
    expect(sidebar.away).to_have_count(0)
    expect(sidebar.job("survivor")).to_contain_text("running")
    held.open()
    expect(sidebar.job("survivor")).to_contain_text("done")
    expect(card.cancel_button).to_have_count(0)
    expect(notebook.output(0)).to_contain_text("went on")


def test_a_relay_elsewhere_is_killed_and_started_again(
    passing_on: JupyterServer, elsewhere: RelayProcess, open_notebook: Callable[..., Notebook], held: Gate
) -> None:
    notebook = open_notebook(passing_on, held_cell(held, "distant", "--gpu 0.5"), "answer + 1")
    seen: list[str] = []
    notebook.page.on("request", lambda request: seen.append(f"{request.url} {request.headers}"))
    notebook.run(0)
    expect(notebook.output(0)).to_contain_text("begun")
    card = Card(notebook.output(0))
    expect(card.root).to_contain_text("running")
    sidebar = Sidebar(notebook.page).open()
    expect(sidebar.root).to_contain_text("Elsewhere")
    elsewhere.kill()
    expect(sidebar.away).to_be_visible()
    elsewhere.start(CUMULUS_TOKEN=_TOKEN)
    elsewhere.wait_ready()
    expect(sidebar.away).to_have_count(0)
    held.open()
    notebook.wait_done(0)
    expect(notebook.output(0)).to_contain_text("went on")
    expect(notebook.output(0)).to_contain_text("done")
    notebook.run_to_end(1)
    expect(notebook.output(1)).to_contain_text("43")
    assert not [line for line in seen if _TOKEN in line], "the relay's token came to the browser"
    assert _TOKEN not in notebook.page.content()
