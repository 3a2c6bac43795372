"""The quickstart typed into a plain ``ipython`` by someone whose home is empty: no server, no settings."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pexpect
import pytest

from tests.homes import Home

QUICKSTART = Path(__file__).resolve().parents[2] / "notebooks" / "quickstart.ipynb"
CELL_LIMIT_S = 240
#: What a terminal puts around text that is pasted, so that it is not run line by line.
PASTE, PASTED = "\x1b[200~", "\x1b[201~"
#: Runs what is in the editor, however many lines it has.
ALT_ENTER = "\x1b\r"
CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")


class Terminal:
    """IPython in a terminal of its own."""

    def __init__(self, home: Home) -> None:
        self.number = 1
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "IPython", "--no-banner", "--no-confirm-exit", "--colors=nocolor"],
            env=home.environment(TERM="xterm", PROMPT_TOOLKIT_NO_CPR="1"),
            cwd=str(home.path),
            encoding="utf-8",
            timeout=CELL_LIMIT_S,
            dimensions=(60, 200),
        )
        self._read_to_prompt()

    def run(self, source: str) -> str:
        """Paste one cell and run it; what stood on the screen until the next prompt."""
        self.child.send(f"{PASTE}{source}{PASTED}{ALT_ENTER}")
        self.number += 1
        return self._read_to_prompt()

    def _read_to_prompt(self) -> str:
        seen = ""
        while f"In [{self.number}]:" not in (plain := CONTROL_SEQUENCE.sub("", seen)):
            self.child.expect(r".+")
            seen += self.child.match.group()
        return plain


@pytest.fixture
def terminal(home: Home) -> Iterator[Terminal]:
    """A fresh IPython."""
    opened = Terminal(home)
    yield opened
    opened.child.close(force=True)


def cells() -> list[str]:
    """The code of the quickstart."""
    notebook = nbformat.read(QUICKSTART, as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def test_the_quickstart(terminal: Terminal) -> None:
    shown = [terminal.run(source) for source in cells()]
    transcript = "\n".join(shown)
    assert "Traceback" not in transcript and "INTERNAL" not in transcript, transcript
    for expected in ("Hello from another process", "Out[3]: 42", "fitted 80 points", "epoch 4"):
        assert expected in transcript, transcript


def test_an_error_is_short_and_names_the_line(terminal: Terminal) -> None:
    terminal.run("%load_ext cumulus_jupyter")
    shown = terminal.run("%%cumulus\nx = 0\n1 / x")
    assert "ZeroDivisionError: division by zero" in shown
    assert "Cell In[2], line 3" in shown
    assert "cumulus_jupyter" not in shown, "the user's traceback shows our own frames"
