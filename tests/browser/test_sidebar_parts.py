"""Parts of the sidebar that no real relay of these tests shows: it is told what to show."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from .lab import JupyterServer
from .parts import Sidebar

#: Answers the page's stream by one that stays open and says only this.
_TELL = """\
(told => {
  const real = window.fetch;
  window.fetch = (request, init) => {
    const url = typeof request === 'string' ? request : request.url;
    if (!url.includes('/cumulus/api/v1/watch') || window.unwatched) return real(request, init);
    const body = new ReadableStream({
      start(stream) {
        window.endStream = () => stream.close();
        window.tell = (name, data) =>
          stream.enqueue(new TextEncoder().encode(`event: ${name}\\ndata: ${JSON.stringify(data)}\\n\\n`));
        told.forEach(([name, data]) => window.tell(name, data));
      }
    });
    return Promise.resolve(new Response(body, { status: 200 }));
  };
})(%s)"""
_PLACE = {"kind": "embedded", "url": "", "healthy": True, "message": "", "next": "", "version": "1"}


def _job(number: int, state: str, **more: Any) -> dict[str, Any]:
    ended = state in ("COMPLETED", "FAILED", "CANCELLED")
    return {
        "id": f"j{number}",
        "name": f"job-{number}",
        "state": state,
        "created_ms": 1_800_000_000_000 - number,
        "started_ms": None,
        "ended_ms": 1_800_000_000_000 if ended else None,
        "labels": {},
        "worker": "",
        "devices": [],
        "share": "",
        "message": "",
        "position": None,
        "cancel_requested": False,
        "error": None,
        "last_seq": 1,
        "origin": {"notebook": "", "cell": "", "kernel": ""},
        "progress": None,
        "usage": None,
        **more,
    }


def _worker(name: str, **more: Any) -> dict[str, Any]:
    held = [{"job_id": "j0", "name": "", "tenths": 3}, {"job_id": "", "name": "", "tenths": 2}]
    gpu = {"id": "GPU-1", "name": "NVIDIA L4", "memory_mib": 23034, "simulated": False}
    return {
        "id": name,
        "executor": "swarm",
        "state": "ready",
        "cpu": 8,
        "used_cpu": 2,
        "memory_mib": 32768,
        "used_memory_mib": 1024,
        "devices": [{**gpu, "used_tenths": 5, "enforced_by": "mps", "holders": held}],
        "jobs": ["j0"],
        "message": "",
        **more,
    }


@pytest.fixture
def shown(lab: JupyterServer, new_page: Callable[[], Page]) -> Callable[..., Sidebar]:
    """``shown(jobs, workers)``: the sidebar of a page that was told of these."""

    def opened(jobs: list[dict[str, Any]], workers: list[dict[str, Any]]) -> Sidebar:
        page = new_page()
        told = [("relay", _PLACE), ("jobs", {"jobs": jobs}), ("workers", {"workers": workers})]
        page.add_init_script(_TELL % json.dumps(told))
        page.goto(f"{lab.url}lab/workspaces/parts?reset&token={lab.token}")
        return Sidebar(page).open()

    return opened


def test_jobs_are_found_by_state_and_words_and_moved_through_by_keys(shown: Callable[..., Sidebar]) -> None:
    error = {"code": "INTERNAL", "message": "ValueError: no\nmore", "next": "Say yes.", "job_id": "j1"}
    jobs = [_job(0, "RUNNING", worker="far", labels={"team": "vision"}), _job(1, "FAILED", error=error)]
    jobs += [_job(number, "COMPLETED") for number in range(2, 80)]
    sidebar = shown(jobs, [])
    rows = sidebar.root.get_by_role("list", name="Jobs").get_by_role("listitem")
    # Of 79 that have ended, 50 are shown unasked.
    expect(rows).to_have_count(51)
    sidebar.root.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(80)

    failed = sidebar.root.get_by_role("button", name="failed: 1")
    failed.click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("ValueError: no")
    expect(rows).to_contain_text("Say yes.")
    expect(rows).not_to_contain_text("more")
    failed.click()

    words = sidebar.root.get_by_role("searchbox")
    words.fill("team=vision FAR running")
    expect(rows).to_have_count(1)
    words.fill("nothing like it")
    expect(rows).to_have_count(0)
    sidebar.root.get_by_role("button", name="Show all").click()
    expect(rows).to_have_count(80)

    rows.first.focus()
    for key, name in (("ArrowDown", "job-1"), ("End", "job-79"), ("ArrowUp", "job-78"), ("Home", "job-0")):
        sidebar.page.keyboard.press(key)
        expect(sidebar.job(name)).to_be_focused()


def test_cancelled_jobs_are_not_counted_as_done(shown: Callable[..., Sidebar]) -> None:
    sidebar = shown([_job(0, "CANCELLED"), _job(1, "COMPLETED"), _job(2, "COMPLETED")], [])
    expect(sidebar.root.get_by_role("button", name="done: 2")).to_be_visible()
    sidebar.root.get_by_role("button", name="cancelled: 1").click()
    rows = sidebar.root.get_by_role("list", name="Jobs").get_by_role("listitem")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("job-0")


def test_the_log_that_is_picked_from_a_list_is_that_jobs(shown: Callable[..., Sidebar]) -> None:
    sidebar = shown([_job(1, "COMPLETED"), _job(2, "COMPLETED")], [])
    expect(sidebar.job("job-1")).to_be_visible()
    sidebar.page.evaluate("() => { window.jupyterapp.commands.execute('cumulus:open-log'); }")
    dialog = sidebar.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Whose log?")
    # Another one is submitted meanwhile.
    sidebar.page.evaluate("job => window.tell('job', job)", _job(0, "RUNNING"))
    expect(sidebar.job("job-0")).to_be_visible()
    dialog.get_by_role("button", name="Open").click()
    expect(sidebar.page.locator("#cumulus-lab-log-j1")).to_be_visible()


def test_a_log_that_is_no_longer_there_is_asked_for_once(shown: Callable[..., Sidebar]) -> None:
    sidebar = shown([_job(0, "RUNNING")], [])
    expect(sidebar.job("job-0")).to_be_visible()
    asked: list[str] = []
    gone = {"code": "NOT_FOUND", "message": "There is no job j9", "next": ""}

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=404, json=gone)

    sidebar.page.route("**/jobs/j9/log*", refuse)
    sidebar.page.evaluate(
        "() => { window.jupyterapp.commands.execute('cumulus:open-log', { jobId: 'j9' }); }"
    )
    expect(sidebar.page.get_by_role("alert").get_by_text("There is no job j9")).to_be_visible()
    for at in range(1, 5):
        sidebar.page.evaluate(
            "job => window.tell('job', job)", _job(0, "RUNNING", message=f"step {at}", worker=f"w{at}")
        )
        expect(sidebar.job("job-0")).to_contain_text(f"w{at}")
    assert len(asked) == 1


def test_gpus_say_who_holds_them_and_workers_why_they_are_down(shown: Callable[..., Sidebar]) -> None:
    down = _worker("broken", state="down", devices=[], message="its engine has not answered for 45 s")
    sidebar = shown([_job(0, "RUNNING")], [_worker("far"), down])
    far = sidebar.worker("far")
    bar = far.get_by_role("img", name="5 of ten tenths taken: job-0 0.3, others 0.2, 0.5 free")
    expect(bar).to_be_visible()
    expect(far.get_by_title("job-0: 0.3 of this GPU")).to_have_count(3)
    expect(far.get_by_title("others: 0.2 of this GPU")).to_have_count(2)
    expect(far.get_by_title("free", exact=True)).to_have_count(5)
    expect(far).to_contain_text("MPS holds each job to its share.")
    expect(sidebar.worker("broken")).to_contain_text("its engine has not answered for 45 s")


def test_a_page_that_is_no_longer_signed_in_says_so(shown: Callable[..., Sidebar]) -> None:
    sidebar = shown([_job(0, "RUNNING")], [_worker("far")])
    expect(sidebar.job("job-0")).to_be_visible()

    def refuse(route: Route) -> None:
        route.fulfill(status=403, json={"message": "Forbidden"})

    sidebar.page.route("**/cumulus/api/v1/**", refuse)
    sidebar.page.evaluate("() => { window.unwatched = true; window.endStream(); }")
    expect(sidebar.away).to_contain_text("Reload the page, and sign in again.")
    # What was known stays in sight.
    expect(sidebar.job("job-0")).to_be_visible()
    sidebar.page.evaluate("() => { window.unwatched = false; }")
    sidebar.away.get_by_role("button", name="Try again now").click()
    expect(sidebar.away).to_have_count(0)
