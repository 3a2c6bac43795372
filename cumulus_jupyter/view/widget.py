"""The card of a running job as a Jupyter widget, through anywidget.

Imported when the first card is shown, and only where anywidget is installed: it takes a moment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget
import traitlets

from .front import script, style


class JobCard(anywidget.AnyWidget):
    """One card. ``heard`` is called with what its pages ask for.

    Where the frontend delivers messages while the kernel is busy, that is on a thread of its own.
    """

    _esm = script()
    _css = style()
    snapshot: Any = traitlets.Dict().tag(sync=True)

    def __init__(self, snapshot: dict[str, Any], heard: Callable[[dict[str, Any]], None]) -> None:
        super().__init__(snapshot=snapshot)
        self._heard = heard
        self.on_msg(self._received)
        # Kernels since 7.4 hand a page's message to the thread that wrote to the page last: here the cell's
        # own, which is busy. Without this hook, it goes to the subshell that the page addressed. There is no
        # public way to say so; a kernel without the hook is left as it is.
        if getattr(self.comm, "_reply_subshell_for", None) is not None:
            self.comm._reply_subshell_for = None

    def view(self) -> dict[str, Any]:
        """What a page needs to draw it."""
        return {"version_major": 2, "version_minor": 0, "model_id": self.model_id}

    def close(self) -> None:
        """Forget it, here and in all pages."""
        self.on_msg(self._received, remove=True)
        layout = self.layout
        super().close()
        if layout is not None:
            layout.close()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """Its words; anywidget's own hold an address in memory."""
        data: dict[str, Any] = {"text/plain": f"[{self.snapshot.get('name') or 'job'}]"}
        if self.comm is not None:
            data["application/vnd.jupyter.widget-view+json"] = self.view()
        return data, {}

    def _received(self, widget: Any, content: Any, buffers: Any) -> None:
        if isinstance(content, dict):
            self._heard(content)
