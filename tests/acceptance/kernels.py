"""A notebook's kernel, and what its cells show."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tests.homes import Home
from tests.patience import LIMIT_S

CELL_LIMIT_S = 2 * LIMIT_S
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Shown:
    """What one cell showed."""

    stdout: str = ""
    stderr: str = ""
    #: The last expression, as text.
    result: str = ""
    #: ``text/plain`` of what was displayed.
    displays: list[str] = field(default_factory=list)
    #: Class name and message of the exception; empty for none.
    error: str = ""
    message: str = ""
    traceback: str = ""

    def take(self, message: dict[str, Any]) -> None:
        """One message of the kernel's output channel."""
        content = message["content"]
        match message["msg_type"]:
            case "stream" if content["name"] == "stdout":
                self.stdout += content["text"]
            case "stream":
                self.stderr += content["text"]
            case "execute_result":
                self.result = content["data"]["text/plain"]
            case "display_data":
                self.displays.append(content["data"].get("text/plain", ""))
            case "error":
                self.error, self.message = content["ename"], content["evalue"]
                self.traceback = _COLOUR.sub("", "\n".join(content["traceback"]))


class Kernel:
    """An ipykernel with this interpreter, in a home of its own."""

    def __init__(self, home: Home, **environment: str) -> None:
        self.home = home
        self.manager = KernelManager(kernel_name="python3")
        assert self.manager.kernel_spec is not None
        self.manager.kernel_spec.argv[0] = sys.executable
        self.manager.kernel_spec.argv.append("--log-level=ERROR")
        settings = home.environment(CUMULUS_VIEW="plain", **environment)
        self.manager.start_kernel(env=settings, cwd=str(home.path))
        self.client: BlockingKernelClient = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=LIMIT_S)

    def run(self, source: str) -> Shown:
        """Execute one cell to its end."""
        shown = Shown()
        self.client.execute_interactive(
            source, output_hook=shown.take, allow_stdin=False, timeout=CELL_LIMIT_S, store_history=True
        )
        return shown

    def value(self, expression: str) -> Any:
        """A value of the notebook, as far as ``repr`` tells it."""
        import ast

        shown = self.run(f"print(repr({expression}))")
        assert not shown.error, shown.traceback
        return ast.literal_eval(shown.stdout.strip())

    def close(self) -> None:
        """End the kernel."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
