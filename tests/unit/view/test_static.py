"""What a notebook keeps of a job."""

from __future__ import annotations

from html.parser import HTMLParser

from cumulus_jupyter.protocol.events import Error, Log, State, Usage
from cumulus_jupyter.view.facts import JobFacts
from cumulus_jupyter.view.log_tail import LogTail
from cumulus_jupyter.view.static import JOB_MIME, KEPT_LINES, WIDGET_MIME, card_bundle, final_bundle

from .conftest import Clock


class Text(HTMLParser):
    """What is left where only the safest of HTML is kept."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def ended(clock: Clock, name: str = "fit", state: str = "COMPLETED", **more: object) -> JobFacts:
    facts = JobFacts(name)
    facts.job_id = "j1"
    facts.take(State("RUNNING", worker="w1"))
    facts.take(Usage(memory_bytes=2**30))
    clock.now += 83
    facts.take(State(state, worker="w1", **more))  # type: ignore[arg-type]
    facts.settle()
    return facts


def test_a_quiet_line(clock: Clock) -> None:
    bundle = final_bundle(ended(clock), None)
    assert bundle["text/plain"] == "[fit · done · 1:23 · on w1 · peak 1.0 GiB]"
    shown = Text(bundle["text/html"])
    assert shown.text == "● done · fit · 1:23 · on w1 · peak 1.0 GiB"
    assert shown.tags == {"div", "span", "b"}
    assert set(bundle) == {"text/html", "text/plain"}


def test_the_end_of_a_log_that_is_shown_nowhere_else(clock: Clock) -> None:
    facts, tail = ended(clock), LogTail()
    for n in range(1234):
        facts.take(Log("stdout", f"line {n}\n"))
        tail.add(n + 1, f"line \x1b[31m{n}\x1b[0m\n")
    bundle = final_bundle(facts, tail.newest(100_000))
    assert bundle["text/plain"].endswith("The whole log: %cumulus logs j1")
    shown = Text(bundle["text/html"])
    assert {"details", "summary", "pre"} <= shown.tags
    assert "log · 1,234 lines" in shown.text
    assert f"line {1234 - KEPT_LINES}\n" in shown.text and f"line {1233 - KEPT_LINES}\n" not in shown.text


def test_nothing_of_a_job_is_taken_for_html(clock: Clock) -> None:
    evil = "<script>alert(1)</script>"
    facts, tail = ended(clock, evil, "FAILED", error={"message": evil, "next": evil}), LogTail()
    tail.add(1, evil)
    for bundle in (final_bundle(facts, tail.newest(100)), card_bundle(facts, "r1", None)):
        assert "script" not in Text(bundle["text/html"]).tags
        assert "<script>" not in bundle["text/html"]


def test_a_failed_one_leaves_its_error_to_the_cell(clock: Clock) -> None:
    """Which raises it, right below."""
    facts = ended(clock, state="FAILED", error={"message": "It raised", "next": "Mend it."})
    facts.take(Error("ValueError", "bad \x1b[1mthing", ["..."], "builtins"))
    bundle = final_bundle(facts, None)
    assert bundle["text/plain"].startswith("[fit · failed · ") and "\n" not in bundle["text/plain"]
    assert "ValueError" not in bundle["text/html"]


def test_one_that_ran_out_of_time_says_so(clock: Clock) -> None:
    told = {"code": "DEADLINE_EXCEEDED", "message": "It took too long", "next": "Ask for more."}
    facts = ended(clock, state="FAILED", error=told)
    facts.take(Error("KeyboardInterrupt", "", ["..."], "builtins"))
    assert facts.snapshot()["error"] == {"message": "It took too long", "next": "Ask for more."}


def test_the_card_is_offered_to_whoever_can_draw_it(clock: Clock) -> None:
    facts = ended(clock)
    bundle = card_bundle(facts, "r1", {"model_id": "m1"})
    assert bundle[JOB_MIME] == {"job_id": "j1", "relay_id": "r1", "final": False}
    assert bundle[WIDGET_MIME] == {"model_id": "m1"}
    assert bundle["text/plain"] == "[fit · running]"
    assert WIDGET_MIME not in card_bundle(facts, "r1", None)
