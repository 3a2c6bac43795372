"""A blank page with the card's own modules, as a host would use them."""

from __future__ import annotations

import time
from typing import Any

from playwright.sync_api import Page

from cumulus_jupyter.view import front

from .chrome import Scheme

_FRONT = "/cumulus_jupyter/view/front"
#: JupyterLab's own colours, of its two themes, as far as the card reads them.
_THEMES = {
    "light": {
        "--jp-ui-font-color1": "rgba(0, 0, 0, 0.87)",
        "--jp-ui-font-color2": "rgba(0, 0, 0, 0.54)",
        "--jp-layout-color1": "#fff",
        "--jp-layout-color2": "#eee",
        "--jp-border-color2": "#e0e0e0",
        "--jp-brand-color1": "#1976d2",
    },
    "dark": {
        "--jp-ui-font-color1": "rgba(255, 255, 255, 1)",
        "--jp-ui-font-color2": "rgba(255, 255, 255, 0.7)",
        "--jp-layout-color1": "#212121",
        "--jp-layout-color2": "#424242",
        "--jp-border-color2": "#424242",
        "--jp-brand-color1": "#1976d2",
    },
}
_START = """async front => {
    const modules = await import(`${front}/card.js`);
    window.calls = [];
    window.earlierPages = [];
    window.makeHost = name => ({
        cancel: () => calls.push([name, 'cancel']),
        watchLog: open => calls.push([name, 'watch', open]),
        earlier: async () => { calls.push([name, 'earlier']); return earlierPages.shift() ?? null; },
        openLog: () => calls.push([name, 'openLog']),
    });
    window.cards = {};
    window.addCard = (name, memory) => {
        const root = document.createElement('div');
        root.id = name;
        document.body.append(root);
        cards[name] = modules.createCard(root, makeHost(name), memory);
        return cards[name];
    };
    window.addPane = options => {
        window.pane = modules.createLogPane({ label: 'Log of a test', ...options });
        document.body.append(pane.element);
    };
    window.createMemory = modules.createMemory;
    window.drawn = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""


def job(**differences: Any) -> dict[str, Any]:
    """A running job as its card is told of it."""
    now = int(time.time() * 1000)
    return {
        "id": "j-0123",
        "name": "train",
        "state": "RUNNING",
        "message": "",
        "position": None,
        "worker": "local-0",
        "share": "half of GPU 0 (NVIDIA A100), enforced by MPS",
        "created_ms": now - 60_000,
        "started_ms": now - 42_000,
        "ended_ms": None,
        "duration_s": 3600,
        "progress": None,
        "memory_bytes": 1_288_490_189,
        "gpu_percent": 43,
        "gpu_memory_bytes": 3_221_225_472,
        "note": "",
        "error": None,
        "log_lines": 1234,
        "log_only": False,
        "now_ms": now,
        **differences,
    }


def waiting(**differences: Any) -> dict[str, Any]:
    """A job that waits for its turn."""
    told = {"state": "QUEUED", "position": 2, "message": "0.2 free on one GPU now", "log_lines": 0}
    empty = {"worker": "", "share": "", "started_ms": None, "memory_bytes": None, "gpu_percent": None}
    return job(**{**told, **empty, "gpu_memory_bytes": None, **differences})


def ended(state: str, **differences: Any) -> dict[str, Any]:
    """A job that has ended."""
    return job(state=state, ended_ms=int(time.time() * 1000), **differences)


def prepare(page: Page, scheme: Scheme = "light") -> None:
    """Give a blank page the modules, the style sheet and a theme."""
    colours = "".join(f"{name}: {value};" for name, value in _THEMES[scheme].items())
    page.add_style_tag(
        content=f"body {{ {colours} margin: 12px; background: var(--jp-layout-color1) }}\n{front.style()}"
    )
    page.evaluate("light => document.body.dataset.jpThemeLight = light", str(scheme == "light").lower())
    page.evaluate(_START, _FRONT)


def add_card(page: Page, name: str, *snapshots: dict[str, Any]) -> None:
    """Draw a card, and tell it these one after the other."""
    page.evaluate("name => { addCard(name) }", name)
    for snapshot in snapshots:
        update(page, name, snapshot)


def update(page: Page, name: str, snapshot: dict[str, Any]) -> None:
    """Tell a card more."""
    page.evaluate("([name, snapshot]) => cards[name].update(snapshot)", [name, snapshot])


def calls(page: Page) -> list[list[Any]]:
    """What the cards have asked of their hosts so far."""
    asked: list[list[Any]] = page.evaluate("calls")
    return asked
