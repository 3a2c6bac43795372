"""A clock that tests move on, and a notebook's shell that notes what is shown."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from cumulus_jupyter.view import card, facts, notebook_view, plain, status


class Clock:
    """Stands for the module ``time``."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


class Shell:
    """A kernel's shell, as far as views use it."""

    kernel = object()

    def __init__(self, allow_stdin: bool = True) -> None:
        self.shown: list[tuple[str, Any]] = []
        self.bundles: list[dict[str, Any]] = []
        self.display_pub: Any = self
        self._parent = {"content": {"allow_stdin": allow_stdin}}

    def get_parent(self) -> dict[str, Any]:
        return self._parent

    def publish(self, data: Any, metadata: Any, *, transient: Any, update: bool) -> None:
        self.bundles.append(data)
        self.shown.append(("update" if update else "display", data["text/plain"]))

    def clear_output(self, wait: bool) -> None:
        self.shown.append(("clear", wait))


class Stream:
    """Stands for stdout and stderr: notes with the displays, in order, what is written."""

    def __init__(self, shell: Shell, name: str) -> None:
        self._shell, self._name, self._text = shell, name, ""

    def write(self, text: str) -> int:
        self._text += text
        return len(text)

    def flush(self) -> None:
        if self._text:
            self._shell.shown.append((self._name, self._text))
            self._text = ""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time as all views see it."""
    clock = Clock()
    for module in (card, facts, notebook_view, status):
        if hasattr(module, "time"):
            monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A notebook's shell; what is printed goes to it too."""
    shell = Shell()
    streams = {name: Stream(shell, name) for name in ("stdout", "stderr")}
    monkeypatch.setattr(plain, "sys", SimpleNamespace(**streams))
    return shell
