"""Rich output without IPython: MIME bundles of values, figures, and a ``display`` function."""

from __future__ import annotations

import base64
import contextlib
import io
import sys
import uuid
from typing import Any, Dict, Mapping, Optional, Tuple

from .streams import Console

_METHODS = {
    "text/html": "_repr_html_",
    "text/markdown": "_repr_markdown_",
    "image/svg+xml": "_repr_svg_",
    "image/png": "_repr_png_",
    "image/jpeg": "_repr_jpeg_",
    "text/latex": "_repr_latex_",
    "application/json": "_repr_json_",
}
#: A widget's view needs its model in the notebook's kernel, and that is here: it would show an error.
_WIDGET = "application/vnd.jupyter.widget-view+json"


def clean_bundle(data: Mapping[str, Any]) -> Dict[str, Any]:
    """A MIME bundle that JSON can hold and a notebook can show: bytes become base64 text."""
    return {
        str(mime): base64.b64encode(value).decode("ascii") if isinstance(value, (bytes, bytearray)) else value
        for mime, value in data.items()
        if mime != _WIDGET
    }


def bundle_as_given(data: Mapping[str, Any]) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """MIME bundle and metadata of data that is a bundle already."""
    return clean_bundle(data), {}


def bundle_of(value: object) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """MIME bundle and metadata of a value, as its ``_repr_*_`` methods give them."""
    data: Dict[str, Any] = {}
    metadata: Dict[str, Any] = {}
    if not isinstance(value, type):
        own = getattr(value, "_repr_mimebundle_", None)
        if callable(own):
            with contextlib.suppress(Exception):
                answer = own(include=None, exclude=None)
                if isinstance(answer, tuple):
                    answer, metadata = answer
                data.update(answer or {})
        for mime, name in _METHODS.items():
            method = getattr(value, name, None)
            if mime in data or not callable(method):
                continue
            with contextlib.suppress(Exception):
                answer = method()
                if isinstance(answer, tuple):
                    answer, metadata[mime] = answer
                if answer is not None:
                    data[mime] = answer
    if "text/plain" not in data:
        data["text/plain"] = repr(value)
    return clean_bundle(data), metadata


class Displayer:
    """``display`` of a shell that is not IPython's."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def display(
        self,
        *values: object,
        display_id: Any = None,
        update: bool = False,
        raw: bool = False,
        **ignored: Any,
    ) -> Optional[DisplayHandle]:
        """Show values; with ``display_id`` the shown one can be replaced later."""
        if display_id is True:
            display_id = uuid.uuid4().hex
        shown_as = str(display_id) if display_id else None
        for value in values:
            if raw and isinstance(value, Mapping):
                data, metadata = bundle_as_given(value)
            else:
                data, metadata = bundle_of(value)
            event = {"type": "display", "data": data, "metadata": metadata, "display_id": shown_as}
            if update:
                event["type"] = "update_display"
            self._console.event(event)
        return DisplayHandle(self, display_id) if display_id and not update else None


class DisplayHandle:
    """Something shown that can be replaced."""

    def __init__(self, displayer: Displayer, display_id: str) -> None:
        self._displayer = displayer
        self.display_id = display_id

    def update(self, value: object, **options: Any) -> None:
        """Show ``value`` in its place."""
        self._displayer.display(value, display_id=self.display_id, update=True, **options)


def show_figures(console: Console) -> None:
    """Show and close the open figures of matplotlib, if the cell has used it."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return
    for number in pyplot.get_fignums():
        figure = pyplot.figure(number)
        target = io.BytesIO()
        figure.savefig(target, format="png", bbox_inches="tight")
        data = clean_bundle({"image/png": target.getvalue(), "text/plain": repr(figure)})
        console.event({"type": "display", "data": data, "metadata": {}, "display_id": None})
    pyplot.close("all")
