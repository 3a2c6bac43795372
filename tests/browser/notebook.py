"""One notebook in JupyterLab or Notebook 7, used as its user does."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from .chrome import LIMIT_MS
from .lab import JupyterServer
from .parts import wait_restored

#: The prompt of a cell that has been executed.
NUMBERED = re.compile(r"^\[\d+\]:$")
_KERNEL_IDLE = """
() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'
"""
_KERNEL_ID = "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.id"
_RESTART = """
async () => {
  const context = window.jupyterapp.shell.currentWidget.sessionContext;
  await context.ready;
  await context.session.kernel.restart();
}
"""


class Notebook:
    """A page that shows one notebook."""

    def __init__(self, page: Page, server: JupyterServer, path: str, workspace: str) -> None:
        self.page, self.server, self.path, self.workspace = page, server, path, workspace

        # A page with unsaved changes asks whether to leave it.
        page.on("dialog", lambda dialog: dialog.accept())

    def open(self) -> None:
        """Load the page, and wait until its kernel is ready."""
        self.page.goto(self.server.page_url(self.path, self.workspace))
        self.wait_ready()

    def reload(self) -> None:
        """Load it again, as its user's browser does."""
        self.page.reload()
        self.wait_ready()

    def leave(self) -> None:
        """Close the page's view of it, as if the browser had been closed."""
        self.page.goto("about:blank")

    def wait_ready(self) -> None:
        """Wait until the notebook is there and its kernel, busy or idle, is connected."""
        wait_restored(self.page)
        self.page.wait_for_function(
            "() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel"
            "?.connectionStatus === 'connected'"
        )
        expect(self.cell(0)).to_be_visible(timeout=LIMIT_MS)

    def wait_idle(self) -> None:
        """Wait until the kernel has nothing to do."""
        self.page.wait_for_function(_KERNEL_IDLE)

    @property
    def panel(self) -> Locator:
        """The notebook with its toolbar, where it is the one that is shown."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    def cell(self, at: int) -> Locator:
        """A cell with its outputs."""
        return self.panel.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{at}']")

    def output(self, at: int) -> Locator:
        """What is under a cell."""
        return self.cell(at).locator(".jp-Cell-outputArea")

    def type(self, at: int, source: str) -> None:
        """Write into a cell, over what is there."""
        editor = self.cell(at).locator(".cm-content")
        editor.click()
        self.page.keyboard.press("Control+a")
        # As if pasted: no brackets are closed and no lines indented on the way.
        self.page.keyboard.insert_text(source)

    def run(self, at: int) -> None:
        """Run a cell by the keyboard; the selection goes to the next one, made where there is none."""
        self.cell(at).locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")

    def run_to_end(self, at: int) -> None:
        """Run a cell and wait until it has a number, and the kernel nothing to do."""
        self.run(at)
        self.wait_done(at)

    def wait_done(self, at: int) -> None:
        """Wait until a cell that was run has ended."""
        expect(self.cell(at).locator(".jp-InputPrompt")).to_have_text(NUMBERED, timeout=LIMIT_MS)
        self.wait_idle()

    def stop(self) -> None:
        """Press the Stop button."""
        self.panel.locator('[data-jp-item-name="interrupt"]').locator("button, jp-button").first.click()

    def restart_kernel(self) -> None:
        """Restart the kernel, without the question that stands before it."""
        self.page.evaluate(_RESTART)
        self.wait_idle()

    def kill_kernel(self) -> None:
        """``kill -9`` the kernel, and wait until the server has started it anew."""
        kernel = self.page.evaluate(_KERNEL_ID)
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"kernel-{kernel}.json".encode() in (folder / "cmdline").read_bytes():
                    os.kill(int(folder.name), signal.SIGKILL)
        told = self.page.get_by_role("dialog")
        expect(told).to_contain_text("restart automatically")
        told.get_by_role("button", name="Ok").click()
        self.wait_idle()

    def save(self) -> dict[str, Any]:
        """Save it; what the file holds."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        return self.saved()

    def saved(self) -> dict[str, Any]:
        """What the file holds."""
        held: dict[str, Any] = json.loads(self.file.read_text())
        return held

    @property
    def file(self) -> Path:
        """The notebook's file."""
        return self.server.folder / self.path
