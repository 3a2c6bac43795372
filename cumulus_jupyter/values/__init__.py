"""Neutral encodings of values, in both directions.

``encode`` turns named objects into one graph and blobs, ``decode`` rebuilds them in the job,
``encode_changes`` finds what the program did to them, and ``apply_changes`` does the same to the
originals in the notebook. Standard library only; numpy, pandas and the like are used where the values
at hand are theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .buffers import FileBlob
    from .changes import apply_changes, encode_changes
    from .container import container_parts, read_container, write_container
    from .decoder import decode
    from .encoder import encode
    from .model import (
        Applied,
        Decoded,
        Definition,
        DefinitionSource,
        Encoded,
        EncodeOptions,
        Refusal,
        ValueReport,
    )
    from .picture import Picture
    from .remote_value import RemoteValue
    from .sources import SourceFinder
    from .trust import Trust

_HOMES = {
    "Applied": "model",
    "Decoded": "model",
    "Definition": "model",
    "DefinitionSource": "model",
    "EncodeOptions": "model",
    "Encoded": "model",
    "FileBlob": "buffers",
    "Picture": "picture",
    "Refusal": "model",
    "RemoteValue": "remote_value",
    "SourceFinder": "sources",
    "Trust": "trust",
    "ValueReport": "model",
    "apply_changes": "changes",
    "container_parts": "container",
    "decode": "decoder",
    "encode": "encoder",
    "encode_changes": "changes",
    "read_container": "container",
    "write_container": "container",
}

__all__ = [
    "Applied",
    "Decoded",
    "Definition",
    "DefinitionSource",
    "EncodeOptions",
    "Encoded",
    "FileBlob",
    "Picture",
    "Refusal",
    "RemoteValue",
    "SourceFinder",
    "Trust",
    "ValueReport",
    "apply_changes",
    "container_parts",
    "decode",
    "encode",
    "encode_changes",
    "read_container",
    "write_container",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module("." + _HOMES[name], __name__), name)
    globals()[name] = found
    return found
