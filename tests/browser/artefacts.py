"""What a run of the browser tests leaves behind: screenshots, and the traces of what failed."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Error, FloatRect, Locator, Page

ROOT = Path(__file__).resolve().parents[2]
#: Asked before a test is given a home, and an environment, of its own.
_FOLDER = Path(os.environ.get("CUMULUS_SCREENSHOTS") or ROOT / "screenshots")
_MARGIN = 8.0
_REPORT = pytest.StashKey[bool]()


def folder() -> Path:
    """Where screenshots go: ``CUMULUS_SCREENSHOTS``, else a folder beside the code that git ignores."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    return _FOLDER


def picture(of: Page | Locator, name: str) -> None:
    """Keep how it looks now."""
    of.screenshot(path=folder() / f"{name}.png", animations="disabled", caret="hide")


def picture_of_top(of: Locator, name: str, height: float) -> None:
    """Keep how the upper part of it looks now, with a margin around it."""
    box = of.bounding_box()
    assert box is not None
    clip = FloatRect(x=box["x"], y=box["y"] - _MARGIN, width=box["width"], height=height + 2 * _MARGIN)
    of.page.screenshot(path=folder() / f"{name}.png", clip=clip, animations="disabled", caret="hide")


def note_failure(item: pytest.Item) -> None:
    """Called when a part of a test has failed, before its fixtures are taken down."""
    item.stash[_REPORT] = True


def failed(item: pytest.Item) -> bool:
    """Whether the test has failed so far."""
    return item.stash.get(_REPORT, False)


def place_of(item: pytest.Item) -> Path:
    """The folder for the traces of a failed test."""
    made = folder() / "failures" / re.sub(r"[^\w.-]+", "_", item.name)
    made.mkdir(parents=True, exist_ok=True)
    return made


class Witness:
    """Keeps what a page's console says, and tells it where its test fails."""

    def __init__(self, page: Page, name: str) -> None:
        self.page, self.name = page, name
        self.lines: list[str] = []
        page.on("console", lambda message: self.lines.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.lines.append(f"uncaught: {error}"))
        page.on("requestfailed", lambda request: self.lines.append(f"failed: {request.method} {request.url}"))

    def tell(self, place: Path) -> None:
        """Leave the console and a screenshot."""
        (place / f"{self.name}-console.txt").write_text("\n".join(self.lines))
        with contextlib.suppress(Error):
            self.page.screenshot(path=place / f"{self.name}.png", timeout=10_000)
