"""The end of a long job is told to a reader who looks elsewhere."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.acceptance.containers import Gate

from .cells import held as held_cell
from .lab import JupyterServer
from .notebook import Notebook
from .parts import Card

_HIDE = """hidden => {
  const state = hidden ? 'hidden' : 'visible';
  Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => state });
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event('visibilitychange'));
}"""


def test_a_page_that_nobody_sees_tells_of_the_end_in_its_title(
    lab: JupyterServer, open_notebook: Callable[..., Notebook], new_page: Callable[[], Page], held: Gate
) -> None:
    lab.setting("cumulus-lab", "notebook", {"notifyAfterSeconds": 0.1})
    page = new_page()
    page.clock.install()
    notebook = open_notebook(lab, held_cell(held, "long"), page=page)
    notebook.run(0)
    expect(Card(notebook.output(0)).root).to_contain_text("running")
    title = page.title()
    with page.expect_event("requestfailed", lambda request: "/cumulus/api/v1/watch" in request.url):
        page.evaluate(_HIDE, True)
        # Past the time after which a page that nobody sees lets its stream go.
        page.clock.fast_forward(31_000)
    held.open()
    [job] = lab.relay.insist("GET", "jobs?limit=1").json["jobs"]
    assert lab.relay.wait_end(job["id"])["state"] == "COMPLETED"
    page.clock.fast_forward(21_000)
    told = page.get_by_text("long is done after")
    expect(told).to_be_visible()
    assert page.title().startswith("long is done after")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.fast_forward(21_000)
    # Nothing is left to wait for.
    assert not [url for url in asked if "/cumulus/" in url]
    page.evaluate(_HIDE, False)
    assert page.title() == title
    expect(told).to_have_count(1)
