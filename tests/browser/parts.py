"""Our parts of a page, by what a user, or a screen reader, calls them."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

CARD = ".cumulus-card"
PANEL = "#cumulus-lab-panel"


def wait_restored(page: Page) -> None:
    """Wait until the application has put everything where it was: until then it moves what is shown."""
    page.wait_for_function("() => window.jupyterapp?.restored.then(() => true)")


class Card:
    """One job's card, in whatever is given."""

    def __init__(self, place: Locator) -> None:
        self.place = place
        self.root = place.locator(CARD)

    @property
    def cancel_button(self) -> Locator:
        """Ends the job."""
        return self.root.get_by_role("button", name=re.compile("cancel", re.IGNORECASE))

    @property
    def log_button(self) -> Locator:
        """Opens and closes the log."""
        return self.root.get_by_role("button", name=re.compile(r"\blog\b", re.IGNORECASE)).first

    @property
    def log(self) -> Locator:
        """The log, where it is open."""
        return self.root.get_by_role("log")


class Sidebar:
    """The panel with jobs, workers and the relay."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.root = page.locator(PANEL)

    def open(self) -> Sidebar:
        """Show it, by its tab at the page's side."""
        wait_restored(self.page)
        if not self.root.is_visible():
            self.page.get_by_role("tab", name=re.compile("^Cumulus")).click()
        expect(self.root).to_be_visible()
        return self

    @property
    def away(self) -> Locator:
        """What stands over the jobs while the relay is away."""
        return self.root.locator(".cumulus-lab-away")

    def job(self, name: str) -> Locator:
        """The entry of a job."""
        return self._entry("Jobs", name)

    def worker(self, name: str) -> Locator:
        """The entry of a worker."""
        return self._entry("Workers", name)

    def _entry(self, of: str, name: str) -> Locator:
        entries = self.root.get_by_role("list", name=of).get_by_role("listitem", name=re.compile(f"^{name},"))
        # The newest of that name comes first.
        return entries.first
