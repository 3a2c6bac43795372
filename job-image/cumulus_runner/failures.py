"""An exception of the user's program as an Error event."""

from __future__ import annotations

import errno
import os
import traceback
from typing import Any, Dict, Optional

from cumulus_jupyter import values

from .plain_shell import PlainShell, unended

_ARGS_LIMIT_BYTES = 64 * 1024
_WHERE_TO_WRITE = (
    "A job can write to its own folder and to /tmp only, and both go with it: "
    "bring results back in variables."
)


def describe_error(error: BaseException, shell: PlainShell) -> Dict[str, Any]:
    """The fields of a ``protocol.events.Error``."""
    cls = type(error)
    try:
        lines = shell.format_error(error)
    except BaseException:
        lines = unended(traceback.format_exception(cls, error, error.__traceback__))
    if isinstance(error, OSError) and error.errno == errno.EROFS and _root_is_read_only():
        lines = [*lines, _WHERE_TO_WRITE]
    return {
        "type": "error",
        "name": cls.__name__,
        "value": _text_of(error),
        "traceback": lines,
        "module": cls.__module__ or "",
        "qualname": cls.__qualname__,
        "args": _kept_graph(error),
    }


def _root_is_read_only() -> bool:
    return bool(os.statvfs("/").f_flag & os.ST_RDONLY)


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:
        return f"<{type(error).__name__}, which can't be shown as text>"


def _kept_graph(error: BaseException) -> Optional[Dict[str, Any]]:
    """Its ``args`` and attributes as a graph, as far as they are small and have a neutral encoding."""
    attributes = {name: value for name, value in vars(error).items() if isinstance(name, str)}
    for roots in ({**attributes, "args": error.args}, {"args": error.args}):
        try:
            encoded = values.encode(roots, values.EncodeOptions(value_limit_bytes=_ARGS_LIMIT_BYTES))
        except Exception:
            # The message and the traceback travel all the same.
            continue
        if "args" not in encoded.refused and not encoded.blobs:
            return encoded.graph
    return None
