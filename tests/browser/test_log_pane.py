"""A log in a page: as a terminal would show it, following its end, and a million lines of it."""

from __future__ import annotations

import pytest
from playwright.sync_api import CDPSession, Locator, Page, expect

from . import artefacts, axe
from .card_page import prepare
from .chrome import Scheme

#: Of the page's own processor time, in which other work on this machine does not count.
_ENOUGH_S = 10
_FLOOD = """async () => {
    const tasks = [];
    const observer = new PerformanceObserver(list =>
        tasks.push(...list.getEntries().map(entry => entry.duration)));
    observer.observe({ type: 'longtask' });
    const lines = [];
    for (let i = 0; i < 1000; i++)
        lines.push(`step ${i} loss \\x1b[3${i % 8}m0.${i}\\x1b[0m of a run that goes on`);
    const plain = lines.map(line => line.replace(/\\x1b\\[\\d*m/g, '') + ' and on\\n').join('');
    const coloured = lines.map(line => line + '\\n').join('');
    const took = [];
    let last = performance.now();
    for (let i = 0; i < 1000; i++) {
        const began = performance.now();
        pane.append(i % 4 ? plain : coloured);
        took.push(performance.now() - began);
        await new Promise(done => setTimeout(done, Math.max(0, 10 - (performance.now() - last))));
        last = performance.now();
    }
    await drawn();
    observer.disconnect();
    took.sort((a, b) => a - b);
    return {
        rows: document.querySelectorAll('.cumulus-block > *').length,
        longest: Math.max(0, ...tasks), long: tasks.length,
        median: took[500], slowest: took[990], kilobytes: plain.length / 1024,
    };
}"""


_COPIED = "async wanted => await navigator.clipboard.readText() === wanted"


@pytest.fixture
def shown(page: Page, color_scheme: Scheme) -> Page:
    """A page with a log pane in it."""
    prepare(page, color_scheme)
    page.evaluate("addPane()")
    return page


def _append(page: Page, text: str, skipped: int = 0) -> None:
    page.evaluate("([text, skipped]) => { pane.append(text, skipped); return drawn() }", [text, skipped])


def _lines(page: Page) -> list[str]:
    return page.locator(".cumulus-block > .cumulus-line").all_text_contents()


def _log(page: Page) -> Locator:
    return page.get_by_role("log")


def _numbered(count: int, start: int = 0) -> str:
    return "".join(f"line {number}\n" for number in range(start, start + count))


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        (["one\ntwo", " and more\n"], ["one", "two and more"]),
        (["10%\r55%\r", "100% done\n"], ["100% done"]),
        (["12345\rab\n"], ["ab345"]),
        (["wrong\b\b\b\b\bright\n"], ["right"]),
        (["much text\rless\x1b[K\n"], ["less"]),
        (["windows\r\n", "\nend"], ["windows", "", "end"]),
        (["cut \x1b[3", "1mred\x1b[0m\n"], ["cut red"]),
        (["\x1b]0;a title\x07shown\x1b[2A\x1b(B\n"], ["shown"]),
        (["bar 0\n\rbar 1\x1b[A\rBAR", "\n\rBAR 1\x1b[A\n\nend\n"], ["BAR 0", "BAR 1", "end"]),
        (["one\ntwo\n\x1b[2A\x1b[2Knew\n\x1b[2Klast\n"], ["new", "last"]),
        (["one\n\rtwo\x1b[9A\x1b[3A\rONE"], ["ONE", "two"]),
        (["<b>no markup</b> &amp;\n"], ["<b>no markup</b> &amp;"]),
        (["x" * 10_000 + "\n"], ["x" * 4096, "x" * 4096, "x" * 1808]),
    ],
)
def test_text_is_shown_as_a_terminal_would(shown: Page, pieces: list[str], lines: list[str]) -> None:
    for piece in pieces:
        _append(shown, piece)
    assert _lines(shown) == lines


def test_colours_and_weights(shown: Page) -> None:
    _append(
        shown, "\x1b[1;31mred\n\x1b[4mstill\x1b[0m \x1b[38;5;208many\x1b[0m \x1b[48;2;1;2;3mground\x1b[0m\n"
    )
    red = shown.get_by_text("red", exact=True)
    expect(red).to_have_css("font-weight", "700")
    expect(red).to_have_css("color", "rgb(208, 28, 36)")
    # Styles go on over the end of a line.
    expect(shown.get_by_text("still")).to_have_css("text-decoration-line", "underline")
    expect(shown.get_by_text("still")).to_have_css("color", "rgb(208, 28, 36)")
    expect(shown.get_by_text("ground")).to_have_css("background-color", "rgb(1, 2, 3)")
    assert shown.get_by_text("any").evaluate("any => getComputedStyle(any).color") != "rgb(255, 135, 0)"


def test_it_follows_until_the_reader_scrolls_up(shown: Page) -> None:
    _append(shown, _numbered(500))
    assert _lines(shown)[-1] == "line 499"
    follow = shown.get_by_role("button", name="Follow")
    expect(follow).to_be_hidden()
    _log(shown).hover()
    shown.mouse.wheel(0, -1000)
    shown.wait_for_function(
        "log => log.scrollTop === log.scrollHeight - log.clientHeight - 1000",
        arg=_log(shown).element_handle(),
    )
    expect(follow).to_be_visible()
    top = _log(shown).evaluate("log => log.scrollTop")
    _append(shown, _numbered(500, 500))
    assert _log(shown).evaluate("log => log.scrollTop") == top
    follow.click()
    expect(_log(shown)).to_contain_text("line 999")
    expect(follow).to_be_hidden()


def test_the_keyboard_scrolls(shown: Page) -> None:
    _append(shown, _numbered(500))
    _log(shown).focus()
    shown.keyboard.press("Home")
    shown.wait_for_function("document.querySelector('.cumulus-scroller').scrollTop === 0")
    expect(_log(shown)).to_contain_text("line 0")
    expect(shown.get_by_role("button", name="Follow")).to_be_visible()
    shown.evaluate("drawn()")
    shown.keyboard.press("End")
    expect(shown.get_by_role("button", name="Follow")).to_be_hidden()


def test_earlier_text_is_asked_for_at_the_top(page: Page) -> None:
    prepare(page)
    page.evaluate(
        "text => { earlierPages.push(text); addPane({ earlier: makeHost('pane').earlier }) }", _numbered(500)
    )
    _append(page, _numbered(500, 500))
    assert page.evaluate("calls.length") == 0
    _log(page).focus()
    page.keyboard.press("Home")
    expect(_log(page)).to_contain_text("line 499")
    # What was read stays where it was.
    expect(_log(page).get_by_text("line 500", exact=True)).to_be_in_viewport()
    page.keyboard.press("Home")
    expect(_log(page)).to_contain_text("line 0")
    page.wait_for_function("calls.length === 2")
    expect(page.get_by_text("earlier lines are above")).to_be_hidden()


def test_lines_left_out_are_told(shown: Page) -> None:
    _append(shown, "before\n")
    _append(shown, "after\n", 12_345)
    assert _lines(shown) == ["before", "… 12,345 lines skipped", "after"]


def test_a_filter_leaves_the_lines_with_a_text(shown: Page) -> None:
    _append(shown, _numbered(30_000))
    shown.get_by_role("searchbox").fill("LINE 2999")
    expect(shown.get_by_text("11 lines")).to_be_visible()
    found = ["line 2999", *(f"line {number}" for number in range(29_990, 30_000))]
    expect(shown.locator(".cumulus-block > .cumulus-line")).to_have_text(found)
    _append(shown, "line 2999 again\n")
    expect(shown.get_by_text("12 lines")).to_be_visible()
    shown.keyboard.press("Escape")
    expect(shown.get_by_role("searchbox")).to_have_value("")
    expect(_log(shown)).to_contain_text("line 29999")


def test_what_a_filter_leaves_is_there_at_once(shown: Page) -> None:
    _append(shown, _numbered(3000))
    blank = """async () => {
        const search = document.querySelector('.cumulus-filter');
        const found = document.querySelector('.cumulus-found');
        search.value = 'line 299';
        search.dispatchEvent(new Event('input'));
        while (!found.textContent.endsWith('lines')) await new Promise(requestAnimationFrame);
        return !document.querySelector('.cumulus-block > .cumulus-line');
    }"""
    assert not shown.evaluate(blank)


def test_long_lines_can_be_wrapped(shown: Page) -> None:
    _append(shown, ("word " * 200 + "\n") * 50)
    wrap = shown.get_by_role("button", name="Wrap")
    assert _log(shown).evaluate("log => log.scrollWidth > log.clientWidth")
    wrap.click()
    expect(wrap).to_have_attribute("aria-pressed", "true")
    shown.evaluate("drawn()")
    assert _log(shown).evaluate("log => log.scrollWidth <= log.clientWidth")
    end = _log(shown).evaluate("log => log.scrollHeight - log.clientHeight - log.scrollTop")
    assert end < 2


def test_everything_can_be_copied(shown: Page) -> None:
    shown.context.grant_permissions(["clipboard-read", "clipboard-write"])
    _append(shown, "\x1b[31mred\x1b[0m\n" + _numbered(1000))
    everything = "red\n" + _numbered(1000)
    # It says so for a moment only.
    assert (
        shown.get_by_role("button", name="Copy").evaluate("b => { b.click(); return b.textContent }")
        == "Copied"
    )
    shown.wait_for_function(_COPIED, arg=everything)
    shown.evaluate("navigator.clipboard.writeText('')")
    _log(shown).focus()
    shown.keyboard.press("Control+a")
    shown.keyboard.press("Control+c")
    shown.wait_for_function(_COPIED, arg=everything)


def test_a_selection_holds_the_log_still(shown: Page) -> None:
    _append(shown, _numbered(100))
    shown.get_by_text("line 95", exact=True).dblclick(position={"x": 12, "y": 9})
    _append(shown, _numbered(500, 100))
    assert shown.evaluate("String(document.getSelection()).trim()") in ("line", "95")
    expect(shown.get_by_text("line 95", exact=True)).to_be_in_viewport()


def test_a_flood_is_not_spoken(shown: Page) -> None:
    _append(shown, _numbered(100))
    expect(_log(shown)).to_have_attribute("aria-live", "off")


def test_a_million_lines_do_not_hold_the_page_up(shown: Page) -> None:
    devtools = shown.context.new_cdp_session(shown)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    before = _worked_s(devtools)
    figures = shown.evaluate(_FLOOD)
    worked_s = _worked_s(devtools) - before
    print(figures, worked_s)
    assert figures["rows"] < 60
    assert 0 < worked_s < _ENOUGH_S
    assert _lines(shown)[-1].startswith("step 999")
    _log(shown).focus()
    shown.keyboard.press("Home")
    expect(shown.get_by_text("earlier lines are no longer here")).to_be_visible()
    assert shown.evaluate("document.querySelectorAll('.cumulus-block > *').length") < 60


def _worked_s(devtools: CDPSession) -> float:
    """Processor time that the page's main thread has used."""
    told = devtools.send("Performance.getMetrics")["metrics"]
    return float(next(metric["value"] for metric in told if metric["name"] == "TaskDuration"))


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_all_colours_can_be_read(shown: Page, color_scheme: Scheme) -> None:
    colours = "".join(f"\x1b[{code}m colour {code} \x1b[0m" for code in [*range(31, 38), *range(90, 98)])
    wide = "".join(
        f"\x1b[38;5;{code}m {code:3d}\x1b[0m" + "\n" * (code % 36 == 15) for code in range(16, 256)
    )
    _append(shown, f"{colours}\n\x1b[2mdim\x1b[0m \x1b[3mitalic\x1b[0m \x1b[7minverse\x1b[0m\n{wide}\n")
    artefacts.picture(shown, f"log-colours-{color_scheme}")
    assert axe.grave(shown, ".cumulus-log") == []
