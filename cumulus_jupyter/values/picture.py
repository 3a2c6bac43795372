"""What is left of a figure when it crosses: how it looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional

from .containers import Kind

if TYPE_CHECKING:
    from .decoder import Decoder


class Picture:
    """A figure's looks, as a MIME bundle; shows itself in a notebook as the figure did."""

    def __init__(self, data: Mapping[str, Any], metadata: Optional[Mapping[str, Any]] = None) -> None:
        #: MIME type -> content; binary formats in base64, as Jupyter has them.
        self.data: Dict[str, Any] = dict(data)
        self.metadata: Dict[str, Any] = dict(metadata or {})

    def __repr__(self) -> str:
        return str(self.data.get("text/plain") or f"<Picture {', '.join(self.data)}>")

    def _repr_mimebundle_(
        self, include: Optional[List[str]] = None, exclude: Optional[List[str]] = None
    ) -> Any:
        """The bundle itself, and its metadata."""
        return dict(self.data), dict(self.metadata)


class _Picture(Kind):
    def hard(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        return [node["k"], node["v"]]

    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        keys, values = reader.run(node["k"]), reader.run(node["v"])
        return Picture(dict(zip(keys, values)))


KINDS: Dict[str, Kind] = {"picture": _Picture()}
