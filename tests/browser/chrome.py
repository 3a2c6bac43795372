"""Debian's Chromium, driven by Playwright, and pages in it."""

from __future__ import annotations

import contextlib
import mimetypes
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, Route, ViewportSize, expect, sync_playwright

from tests.patience import LIMIT_S

from .artefacts import ROOT

Scheme = Literal["light", "dark"]
_CALM = Path(__file__).with_name("calm_chromium.py")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LIMIT_MS = LIMIT_S * 1000
SIZE = ViewportSize(width=1280, height=860)
NARROW = ViewportSize(width=860, height=860)
TALL = ViewportSize(width=1280, height=1100)
#: Never looked up: what is asked of it is answered from this working tree.
BLANK = "https://cumulus.test/"
#: How long a page may take to come to show something, on a machine that has much else to do.
expect.set_options(timeout=LIMIT_MS / 2)
_HTML = "<!doctype html><html lang=en><title>A blank page</title><body></body></html>"


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium with a profile of its own, ended afterwards."""
    assert shutil.which("chromium"), "Chromium is missing. Install it: sudo apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=_CALM, args=list(FLAGS), chromium_sandbox=False, timeout=LIMIT_MS
        )
        try:
            yield browser
        finally:
            browser.close()


def open_page(browser: Browser, scheme: Scheme = "light", scale: float = 1) -> Page:
    """A page with cookies and storage of its own; ``scale`` is how many pixels a CSS pixel has."""
    context = browser.new_context(
        color_scheme=scheme, viewport=SIZE, device_scale_factor=scale, reduced_motion="reduce"
    )
    context.set_default_timeout(LIMIT_MS)
    return context.new_page()


def blank(page: Page) -> None:
    """Show an empty page whose scripts may import files of the working tree, by their path in it."""

    def answer(route: Route) -> None:
        path = ROOT / route.request.url.removeprefix(BLANK).partition("?")[0]
        if path == ROOT:
            route.fulfill(body=_HTML, content_type="text/html; charset=utf-8")
        elif path.is_file() and ROOT in path.resolve().parents:
            route.fulfill(body=path.read_bytes(), content_type=_type(path))
        else:
            route.fulfill(status=404)

    page.route(f"{BLANK}**", answer)
    page.goto(BLANK)


def _type(path: Path) -> str:
    return {".js": "text/javascript", ".css": "text/css"}.get(
        path.suffix, mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    )
