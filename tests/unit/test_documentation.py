"""The documentation names everything there is to name, and links to what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cumulus_jupyter.completion import COMMANDS
from cumulus_jupyter.options import BY_FLAG, OPTIONS
from cumulus_jupyter.protocol import errors
from cumulus_jupyter.protocol.enrolment import SCRIPT_PATH
from cumulus_jupyter.protocol.events import EVENT_TYPES
from cumulus_jupyter.protocol.jobs import STATES
from cumulus_jupyter.settings import Cumulus as NotebookSettings
from cumulus_server.config import Cumulus as RelaySettings
from cumulus_server.handlers import ENROLMENT_ROUTES, ROUTES

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
RELATIVE_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def page(name: str) -> str:
    """The text of one page of ``docs``."""
    return (ROOT / "docs" / f"{name}.md").read_text()


def missing(names: list[str], name: str) -> list[str]:
    """Which of the names the page does not have in code type."""
    text = page(name)
    return [each for each in names if not re.search(rf"`[^`\n]*{re.escape(each)}(?![\w-])", text)]


def readable(*routes: tuple[str, object]) -> list[str]:
    """Routes as people write them."""
    return [re.sub(r"\(\?P<(?:job_)?(\w+)>\[\^/\]\+\)", r"{\1}", pattern) for pattern, _ in routes]


def test_every_option_of_the_magic() -> None:
    assert not missing([option.flag for option in OPTIONS], "magic")


def test_every_command() -> None:
    assert not missing([f"%cumulus {command}" for command in COMMANDS], "magic")


def test_every_setting() -> None:
    assert not missing(NotebookSettings.names(), "configuration")
    assert not missing(list(RelaySettings.class_traits(config=True)), "configuration")


def test_every_route() -> None:
    routes = [route for route in readable(*ROUTES, *ENROLMENT_ROUTES) if not route.startswith("/runner")]
    assert not missing([route for route in routes if route != "/openapi.json"], "rest")


def test_every_event_state_and_error() -> None:
    text = page("rest")
    codes = [each.code for each in vars(errors).values() if hasattr(each, "code")]
    assert not [name for name in (*EVENT_TYPES, *STATES, *codes) if name not in text]


def test_nothing_that_is_gone() -> None:
    def named(pattern: str, name: str) -> set[str]:
        return set(re.findall(pattern, page(name), re.MULTILINE))

    assert named(r"^\| .*?`(-[\w-]+)", "magic") <= set(BY_FLAG)
    assert named(r"^\| `%cumulus ([\w-]+)", "magic") <= set(COMMANDS)
    assert named(r"^\| `([a-z]\w+)` \|", "configuration") <= set(RelaySettings.class_traits(config=True))
    routes = [*readable(*ROUTES, *ENROLMENT_ROUTES), f"/{SCRIPT_PATH}"]
    assert named(r"^\| `[A-Z]+ (/[^` ]*)`", "rest") <= set(routes)
    text = "".join(path.read_text() for path in PAGES)
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"(?:`|^\s*)make ([a-z][a-z-]+)", text, re.MULTILINE)) <= set(targets)
    assert not [name for name in set(re.findall(r"scripts/[\w-]+", text)) if not (ROOT / name).exists()]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    links = RELATIVE_LINK.findall(path.read_text())
    assert not [link for link in links if not (path.parent / link).exists()]
