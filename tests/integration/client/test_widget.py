"""What a notebook's page is sent for cells of a real kernel: cards, outputs, and what pages send back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from cumulus_jupyter.client.api import CumulusClient
from tests.patience import LIMIT_S

WIDGET = "application/vnd.jupyter.widget-view+json"
JOB = "application/vnd.cumulus.job+json"
_NOT_SHOWN = ("status", "execute_input", "comm_open", "comm_msg", "comm_close")


@dataclass
class Seen:
    """One message of the kernel, when it came, and how large it is."""

    kind: str
    content: dict[str, Any]
    at_s: float

    @property
    def size(self) -> int:
        return len(json.dumps(self.content))

    @property
    def text(self) -> str:
        if self.kind == "stream":
            return str(self.content["text"])
        return str(self.content.get("data", {}).get("text/plain", ""))


@dataclass
class Page:
    """A notebook's page, as far as the kernel can tell."""

    client: BlockingKernelClient
    manager: KernelManager
    seen: list[Seen] = field(default_factory=list)
    card: str = ""
    _subshell: str = ""

    def run(self, source: str, react: Callable[[Seen], None] = lambda message: None) -> list[Seen]:
        """Execute a cell; what it shows, in order. ``react`` is called with every message as it comes."""
        self.seen, self.card = [], ""
        asked = self.client.execute(source, allow_stdin=True)
        while True:
            message = self.client.get_iopub_msg(timeout=LIMIT_S)
            kind, content = message["msg_type"], message["content"]
            # What is answered to a page's own message belongs to that.
            if message["parent_header"].get("msg_id") != asked and kind != "comm_msg":
                continue
            if kind == "status" and content["execution_state"] == "idle":
                return [each for each in self.seen if each.kind not in _NOT_SHOWN]
            self.seen.append(Seen(kind, content, time.monotonic()))
            if kind == "comm_open" and content["data"]["state"].get("_model_module") == "anywidget":
                self.card = content["comm_id"]
            react(self.seen[-1])

    def send(self, content: dict[str, Any]) -> None:
        """Send to the card's kernel side as JupyterLab does: to a subshell, which no cell holds up."""
        session = self.client.session
        if not self._subshell:
            self.client.control_channel.send(session.msg("create_subshell_request"))
            self._subshell = self.client.get_control_msg(timeout=LIMIT_S)["content"]["subshell_id"]
        data = {"method": "custom", "content": content}
        message = session.msg("comm_msg", {"comm_id": self.card, "data": data})
        message["header"]["subshell_id"] = self._subshell
        self.client.shell_channel.send(message)

    def memory(self) -> int:
        """Bytes that the kernel holds."""
        return int(psutil.Process(self.manager.provisioner.pid).memory_info().rss)  # type: ignore[union-attr]

    def heard(self, kind: str) -> list[dict[str, Any]]:
        """Custom messages to the card's page, of one kind."""
        found = [each.content["data"] for each in self.seen if each.kind == "comm_msg"]
        sent = [data["content"] for data in found if data.get("method") == "custom"]
        return [content for content in sent if content["kind"] == kind]

    def snapshots(self) -> list[dict[str, Any]]:
        """What the card's page was told of the job, after it was shown."""
        found = [each.content["data"] for each in self.seen if each.kind == "comm_msg"]
        return [data["state"]["snapshot"] for data in found if data.get("method") == "update"]


@pytest.fixture(scope="module")
def page(client: CumulusClient) -> Iterator[Page]:
    _ = client.found
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    kernel = manager.client()
    kernel.start_channels()
    kernel.wait_for_ready(timeout=LIMIT_S)
    page = Page(kernel, manager)
    # A busy machine's relay may take longer to answer to Stop than a cell usually waits.
    page.run(f"%load_ext cumulus_jupyter\nimport cumulus_jupyter.cell as c; c.CANCEL_LIMIT_S = {LIMIT_S}")
    page.run("%%cumulus\n1")
    yield page
    kernel.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A file that a job waits for."""
    return tmp_path / "gate"


@pytest.fixture
def unhurried(page: Page) -> Iterator[None]:
    """A quick cell is one that this test calls so, however much else the machine has to do."""
    page.run(
        "from cumulus_jupyter.view import notebook_view as when\n"
        f"usual, when.APPEARS_AFTER_S = when.APPEARS_AFTER_S, {10 * LIMIT_S}"
    )
    yield
    page.run("when.APPEARS_AFTER_S = usual")


def held(gate: Path, before: str, after: str = "") -> str:
    """A cell that waits for the file."""
    return (
        f"%%cumulus --name fit\nimport os, time\n{before}\n"
        f"while not os.path.exists({str(gate)!r}):\n    time.sleep(0.01)\n{after}"
    )


def kinds(shown: list[Seen]) -> list[str]:
    return [each.kind for each in shown]


def test_a_quick_cell_shows_what_it_shows_here(page: Page, unhurried: None) -> None:
    source = "print('a')\nfrom IPython.display import display\ndisplay('b')\nprint('c')\n6 * 7"
    here = page.run(source)
    there = page.run(f"%%cumulus\n{source}")
    assert [(each.kind, each.text) for each in there] == [(each.kind, each.text) for each in here]
    assert page.card == ""


def test_a_slow_cell_has_a_card_and_ends_as_a_quiet_line(page: Page, gate: Path) -> None:
    def react(message: Seen) -> None:
        if message.kind == "stream" and "begun" in message.text:
            gate.touch()

    shown = page.run(held(gate, "print('begun')", "print('ended')\n42"), react)
    assert kinds(shown) == ["display_data", "stream", "stream", "update_display_data", "execute_result"]
    card, quiet = shown[0].content, shown[3].content
    assert card["data"][WIDGET]["model_id"] == page.card
    assert card["data"][JOB]["final"] is False and card["data"]["text/plain"] == "[fit · running]"
    assert quiet["transient"] == card["transient"] and set(quiet["data"]) == {"text/html", "text/plain"}
    assert quiet["data"]["text/plain"].startswith("[fit · done · ")
    assert "<details>" not in quiet["data"]["text/html"]
    opened = [each.content["comm_id"] for each in page.seen if each.kind == "comm_open"]
    closed = [each.content["comm_id"] for each in page.seen if each.kind == "comm_close"]
    assert sorted(opened) == sorted(closed)


def test_what_is_held_back_is_shown_though_the_job_is_silent(page: Page, gate: Path) -> None:
    """The gate opens only with the text."""
    shown = page.run(held(gate, "print('all I say')"), lambda message: open_at(message, "all I say", gate))
    assert kinds(shown) == ["display_data", "stream", "update_display_data"]


def open_at(message: Seen, text: str, gate: Path) -> None:
    if text in message.text:
        gate.touch()


def test_cancel_while_the_kernel_is_busy(page: Page, gate: Path) -> None:
    def react(message: Seen) -> None:
        if message.kind == "display_data":
            page.send({"kind": "cancel"})
            page.send({"kind": "cancel"})

    shown = page.run(held(gate, ""), react)
    assert kinds(shown) == ["display_data", "update_display_data", "error"]
    assert shown[1].text.startswith("[fit · cancelled · ")
    assert shown[2].content["ename"] == "JobCancelled"


def test_stop_leaves_a_sensible_line(page: Page, gate: Path) -> None:
    def react(message: Seen) -> None:
        if message.kind == "display_data":
            page.manager.interrupt_kernel()

    shown = page.run(held(gate, ""), react)
    assert shown[1].text.startswith(("[fit · cancelled · ", "[fit · being cancelled · "))
    assert shown[-1].content["ename"] == "JobInterrupted"


def test_the_log_and_the_text_before_it(page: Page, gate: Path) -> None:
    def react(message: Seen) -> None:
        if message.kind == "display_data" and WIDGET in message.content["data"]:
            page.send({"kind": "watch", "open": True})
        if page.heard("log") and not page.heard("earlier") and message.kind == "comm_msg":
            page.send({"kind": "earlier"})
        if page.heard("earlier"):
            gate.touch()

    many = "for n in range(40_000): print(f'line {n:6}')"
    shown = page.run(held(gate, many), react)
    first, before = page.heard("log")[0]["text"], page.heard("earlier")[0]["text"]
    assert first.startswith("line ")  # how far it goes, depends on how busy the machine is
    joint = int(first.split()[1])
    assert before.startswith("line ") and before.endswith(f"line {joint - 1:6}\n")
    updates = [each for each in shown if each.kind == "update_display_data"]
    assert "log · 40,000 lines" in updates[-1].content["data"]["text/html"]


def test_a_flood_neither_floods_the_page_nor_fills_the_notebook(page: Page) -> None:
    before = page.memory()
    began = time.monotonic()

    def react(message: Seen) -> None:
        if message.kind == "display_data" and WIDGET in message.content["data"]:
            page.send({"kind": "watch", "open": True})

    flood = "import time\nfor n in range(200_000): print(n, 'x' * 40)\ntime.sleep(0.6)"
    shown = page.run(f"%%cumulus --name flood\n{flood}", react)
    took_s = time.monotonic() - began
    live = [each for each in page.seen if each.kind not in ("status", "execute_input", "comm_open")]
    sent = sum(each.size for each in live)
    kept = sum(each.size for each in shown)
    print(
        f"{len(live)} messages, {sent / 1024:.0f} KiB in {took_s:.1f} s; the notebook keeps {kept / 1024:.0f}"
        f" KiB; the kernel grew by {(page.memory() - before) / 2**20:.0f} MiB"
    )
    assert len(live) < 12 * took_s + 20
    assert sent < 100_000 * took_s + 500_000
    assert kept < 150_000
    assert page.memory() - before < 64 * 2**20
    text = "".join(each.text for each in shown if each.kind == "stream")
    assert text.count("\n") == 1020 and text.endswith(f"199999 {'x' * 40}\n")
    assert page.snapshots()[-1]["log_only"]


def test_displays_come_all_and_in_order(page: Page) -> None:
    shown = page.run(
        "%%cumulus\nimport time\nfrom IPython.display import display\n"
        "for n in range(300):\n    print(n)\n    display(n)\n    time.sleep(0.003)"
    )
    displays = [
        each.text for each in shown if each.kind == "display_data" and WIDGET not in each.content["data"]
    ]
    assert displays == [str(n) for n in range(300)]
    text = "".join(each.text for each in shown if each.kind == "stream")
    assert text == "".join(f"{n}\n" for n in range(300))


def test_a_job_that_clears_its_output_keeps_its_card_on_top(page: Page, gate: Path) -> None:
    clearing = "from IPython.display import clear_output\nclear_output()\nprint('after')"
    shown = page.run(
        held(gate, "print('before')", clearing), lambda message: open_at(message, "before", gate)
    )
    after = kinds(shown).index("clear_output")
    assert kinds(shown)[after + 1 : after + 3] == ["display_data", "stream"]
    assert shown[after + 1].content["transient"] == shown[0].content["transient"]


def test_attaching_shows_it_from_its_beginning_with_a_card(page: Page, gate: Path) -> None:
    page.run(held(gate, "print('begun')").replace("--name fit", "--name far --detach far"))
    shown = page.run("%cumulus attach far", lambda message: open_at(message, "begun", gate))
    assert kinds(shown) == ["display_data", "stream", "update_display_data"]
    again = page.run("%cumulus attach far")
    assert kinds(again) == ["stream"]


def test_a_cell_in_plain_mode_shows_no_card(page: Page, gate: Path) -> None:
    page.run("%cumulus config view=plain")
    try:
        shown = page.run(held(gate, "print('begun')"), lambda message: open_at(message, "begun", gate))
    finally:
        page.run("%cumulus config view=auto")
    assert kinds(shown) == ["stream"] and page.card == ""


def test_without_widgets_a_line_stands_for_the_card(page: Page, gate: Path) -> None:
    page.run(
        "import sys\nkept = {name: sys.modules.pop(name) for name in list(sys.modules) if 'widget' in name}"
    )
    page.run("sys.modules['anywidget'] = None")
    try:
        shown = page.run(held(gate, "print('begun')"), lambda message: open_at(message, "begun", gate))
    finally:
        page.run("sys.modules.update(kept)")
    assert kinds(shown)[0] == "display_data" and WIDGET not in shown[0].content["data"]
    assert shown[0].text.startswith("[fit · running") and shown[-1].text.startswith("[fit · done · ")
