"""The card of a job, alone on a page."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Locator, Page, expect

from cumulus_jupyter.view import front

from . import artefacts, axe
from .card_page import add_card, calls, ended, job, prepare, update, waiting
from .chrome import Scheme

_PROGRESS = {"label": "epoch 3", "done": 420, "total": 1000, "unit": "it"}
_COLOURS = (
    "\x1b[32mloss 0.4213\x1b[0m  \x1b[1mepoch 3\x1b[0m  \x1b[38;5;208mwarm-up\x1b[0m \x1b[7m done \x1b[0m\n"
)


@pytest.fixture
def shown(page: Page, color_scheme: Scheme) -> Page:
    """A page that cards can be drawn in."""
    prepare(page, color_scheme)
    return page


def _card(page: Page, name: str = "a") -> Locator:
    return page.locator(f"#{name} .cumulus-card")


def _stop_the_clock(page: Page) -> None:
    """Time passes where a test says so, and not besides."""
    now = time.time()
    page.clock.install(time=now)
    page.clock.pause_at(now + 1)


def test_a_waiting_job_says_its_place_and_why(shown: Page) -> None:
    add_card(shown, "a", waiting())
    expect(_card(shown)).to_have_attribute("aria-label", "Cumulus job train")
    expect(_card(shown).locator(".cumulus-state")).to_have_text("queued")
    expect(_card(shown).locator("svg.cumulus-icon")).to_be_visible()
    expect(_card(shown)).to_contain_text("place 2 · 0.2 free on one GPU now")
    expect(_card(shown).locator(".cumulus-elapsed")).to_have_text(re.compile(r"[1-9]:\d\d"))
    expect(_card(shown).get_by_role("progressbar")).to_be_hidden()


def test_a_running_job_says_what_it_has_and_uses(shown: Page) -> None:
    add_card(shown, "a", job(progress=_PROGRESS))
    expect(_card(shown)).to_contain_text("on local-0 · half of GPU 0 (NVIDIA A100), enforced by MPS")
    expect(_card(shown)).to_contain_text("1.2 GiB memory · GPU 43 % · 3.0 GiB GPU memory")
    expect(_card(shown)).to_contain_text("of at most 1 h")
    bar = _card(shown).get_by_role("progressbar", name="epoch 3")
    expect(bar).to_have_attribute("aria-valuenow", "42")
    expect(bar).to_have_attribute("aria-valuetext", "42 %, 420 of 1,000 it")
    update(shown, "a", job(progress={**_PROGRESS, "total": None}))
    assert bar.get_attribute("aria-valuenow") is None
    expect(bar).to_have_attribute("aria-valuetext", "420 it")


def test_time_passes_without_the_host_by_its_clock(shown: Page) -> None:
    _stop_the_clock(shown)
    now = shown.evaluate("Date.now()") + 3_600_000
    ahead = {"created_ms": now - 9000, "started_ms": now - 5000, "now_ms": now}
    add_card(shown, "a", waiting(created_ms=now - 9000, now_ms=now), job(**ahead))
    elapsed = _card(shown).locator(".cumulus-elapsed")
    expect(elapsed).to_have_text("0:05")
    shown.clock.run_for(3000)
    expect(elapsed).to_have_text("0:08")


def test_progress_foretells_the_end(shown: Page) -> None:
    _stop_the_clock(shown)
    add_card(shown, "a", job(progress={**_PROGRESS, "done": 0}))
    for done in (100, 200, 300):
        shown.clock.run_for(5000)
        update(shown, "a", job(progress={**_PROGRESS, "done": done}))
    left = _card(shown).locator(".cumulus-left")
    expect(left).to_have_text("about 35 s left")
    shown.clock.run_for(10_000)
    expect(left).to_have_text("about 25 s left")


def test_cancel_asks_once_and_says_so_at_once(shown: Page) -> None:
    add_card(shown, "a", job())
    button = _card(shown).get_by_role("button", name="Cancel")
    button.click()
    expect(_card(shown).locator(".cumulus-state")).to_have_text("cancelling")
    expect(button).to_be_disabled()
    button.click(force=True)
    assert calls(shown) == [["a", "cancel"]]
    update(shown, "a", ended("CANCELLED", message="cancelled by you"))
    expect(_card(shown).locator(".cumulus-state")).to_have_text("cancelled")
    expect(_card(shown)).to_contain_text("cancelled by you")
    expect(button).to_be_hidden()


def test_a_note_of_the_host_is_shown(shown: Page) -> None:
    add_card(shown, "a", job(note="the relay has been away for 12 s, trying again"))
    expect(_card(shown)).to_contain_text("the relay has been away for 12 s, trying again")
    update(shown, "a", job())
    expect(_card(shown)).not_to_contain_text("away")


def test_a_failed_job_says_what_to_do(shown: Page) -> None:
    add_card(shown, "a", ended("FAILED", error={"message": "It ran out of memory.", "next": "Ask for more."}))
    expect(_card(shown)).to_contain_text("It ran out of memory.")
    expect(_card(shown)).to_contain_text("Ask for more.")


def test_a_job_that_went_well_is_one_line(shown: Page) -> None:
    add_card(shown, "a", job(progress=_PROGRESS))
    update(shown, "a", ended("COMPLETED"))
    expect(_card(shown)).to_contain_text("done")
    height = _card(shown).evaluate("card => card.offsetHeight")
    assert height < 40


def test_only_changes_of_state_are_spoken(shown: Page) -> None:
    add_card(shown, "a", waiting())
    spoken = _card(shown).get_by_role("status").first
    expect(spoken).to_have_text("train queued: 0.2 free on one GPU now")
    update(shown, "a", job(progress=_PROGRESS))
    expect(spoken).to_have_text("train running")
    shown.evaluate(
        """() => { window.said = 0; new MutationObserver(() => said++).observe(
            document.querySelector('.cumulus-spoken'),
            { childList: true, characterData: true, subtree: true }) }"""
    )
    update(shown, "a", job(progress={**_PROGRESS, "done": 500}, memory_bytes=5))
    shown.evaluate("drawn()")
    assert shown.evaluate("said") == 0


def test_the_keyboard_alone_is_enough(shown: Page) -> None:
    add_card(shown, "a", job())
    shown.evaluate(
        "window.outside = []; document.addEventListener('keydown', event => outside.push(event.key))"
    )
    shown.keyboard.press("Tab")
    log = _card(shown).get_by_role("button", name="Log, 1,234 lines")
    expect(log).to_be_focused()
    shown.keyboard.press("Enter")
    expect(log).to_have_attribute("aria-expanded", "true")
    shown.evaluate("cards.a.log('first\\nlast\\n')")
    expect(_card(shown).get_by_role("log", name="Log of train")).to_contain_text("last")
    for _ in range(2):
        shown.keyboard.press("Tab")
    expect(_card(shown).get_by_role("searchbox")).to_be_focused()
    for _ in range(4):
        shown.keyboard.press("Tab")
    expect(_card(shown).get_by_role("log")).to_be_focused()
    shown.keyboard.press("PageUp")
    shown.keyboard.press("Escape")
    expect(_card(shown).get_by_role("log")).to_have_count(0)
    expect(log).to_be_focused()
    shown.keyboard.press("Tab")
    shown.keyboard.press(" ")
    assert calls(shown) == [["a", "watch", True], ["a", "earlier"], ["a", "watch", False], ["a", "cancel"]]
    # The notebook around it is to have none of the keys that were meant for the card.
    assert set(shown.evaluate("outside")) == {"Tab"}


def test_a_cut_output_opens_the_log_by_itself_once(shown: Page) -> None:
    add_card(shown, "a", job(log_only=True))
    expect(_card(shown).get_by_role("log")).to_be_visible()
    _card(shown).get_by_role("button", name="Log, 1,234 lines").click()
    update(shown, "a", job(log_only=True, log_lines=1300))
    expect(_card(shown).get_by_role("log")).to_have_count(0)
    assert calls(shown) == [["a", "watch", True], ["a", "watch", False]]


def test_cards_that_share_a_memory_look_the_same(shown: Page) -> None:
    shown.evaluate("window.memory = createMemory(); addCard('a', memory); addCard('b', memory)")
    for name in ("a", "b"):
        update(shown, name, job())
    _card(shown).get_by_role("button", name="Log, 1,234 lines").click()
    shown.evaluate("cards.a.log('seen by both\\n')")
    expect(_card(shown, "b").get_by_role("log")).to_contain_text("seen by both")
    shown.evaluate("cards.a.dispose(); cards.b.dispose(); addCard('c', memory)")
    expect(_card(shown, "c").get_by_role("log")).to_contain_text("seen by both")
    assert ["a", "watch", False] not in calls(shown)


def test_the_joined_module_is_a_widget(shown: Page) -> None:
    shown.evaluate(
        """async ([source, snapshot]) => {
            const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
            const widget = await (await import(url)).default();
            const handlers = {};
            window.model = {
                snapshot, sent: [],
                get: name => model[name], off: () => {}, send: content => model.sent.push(content),
                on: (event, handler) => (handlers[event] ??= []).push(handler),
                fire: (event, content) => handlers[event].forEach(handler => handler(content, [])),
            };
            await widget.initialize({ model });
            window.show = id => {
                const el = document.createElement('div');
                el.id = id;
                document.body.append(el);
                return widget.render({ model, el });
            };
            window.hide = show('a');
        }""",
        [front.script(), job()],
    )
    _card(shown).get_by_role("button", name="Log, 1,234 lines").click()
    shown.evaluate("model.fire('msg:custom', { kind: 'log', text: 'from the kernel\\n', skipped: 0 })")
    log = _card(shown).get_by_role("log")
    expect(log).to_contain_text("from the kernel")
    shown.wait_for_function("model.sent.some(content => content.kind === 'earlier')")
    shown.evaluate("model.fire('msg:custom', { kind: 'earlier', text: 'from before\\n' })")
    expect(log).to_contain_text("from before")
    # Its output is cleared, and it is drawn again.
    shown.evaluate("hide(); document.querySelector('#a').remove(); void show('b')")
    expect(_card(shown, "b").get_by_role("log")).to_contain_text("from before")
    shown.evaluate(
        "model.snapshot = { ...model.snapshot, note: 'cancelling' }; model.fire('change:snapshot')"
    )
    expect(_card(shown, "b").get_by_role("button", name="Cancel")).to_be_disabled()
    assert shown.evaluate("model.sent")[0] == {"kind": "watch", "open": True}


@pytest.mark.parametrize("scale", [2])
@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_every_state_can_be_read(shown: Page, color_scheme: Scheme) -> None:
    """One page with all of them: looked at by axe-core here, and by people as a picture."""
    shown.set_viewport_size({"width": 900, "height": 1200})
    add_card(shown, "queued", waiting())
    add_card(shown, "starting", waiting(state="SCHEDULING", position=None, message="", worker="local-0"))
    preparing = {"message": "cutting a slice of GPU 0", "worker": "local-0", "position": None}
    add_card(shown, "preparing", waiting(state="CREATING_PARTITION", **preparing))
    add_card(shown, "running")
    for use in (5, 8, 60, 66, 44, 48, 80, 76, 78, 30, 52, 43):
        update(shown, "running", job(progress=_PROGRESS, gpu_percent=use))
        shown.evaluate("window.pageNow ??= Date.now, window.ahead = (window.ahead ?? 0) + 4500")
        shown.evaluate("Date.now = () => pageNow.call(Date) + ahead")
    shown.evaluate("Date.now = pageNow")
    add_card(shown, "loop", job(progress={"label": "reading", "done": 5120, "total": None, "unit": "rows"}))
    add_card(shown, "away", job(note="the relay has been away for 12 s, trying again"))
    add_card(shown, "cancelling", job(note="cancelling"))
    add_card(shown, "done", ended("COMPLETED"))
    nobody = {"message": "It used more than its 4.0 GiB of memory.", "next": "Ask for more with --memory 8G."}
    add_card(shown, "failed", ended("FAILED", error=nobody))
    add_card(shown, "cancelled", ended("CANCELLED", message="cancelled by you"))
    add_card(shown, "log", job(progress=_PROGRESS, log_only=True))
    shown.evaluate("text => { cards.log.log(text.repeat(3)); cards.log.log(text, 12345) }", _COLOURS)
    shown.evaluate("drawn()")
    expect(_card(shown, "log")).to_contain_text("12,345 lines skipped")
    artefacts.picture(shown, f"card-states-{color_scheme}")
    assert axe.grave(shown, ".cumulus-card") == []
    for width in (320, 1400):
        shown.set_viewport_size({"width": width, "height": 1400})
        artefacts.picture(shown, f"card-states-{color_scheme}-{width}px")
        assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
