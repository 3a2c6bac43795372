"""The words of reports and refusals."""

from __future__ import annotations

NEXT_LARGE = "Fetch it with .fetch(), name it in a later %%cumulus cell, or raise the limit."
NEXT_THERE = "Make it inside the cell, or pass plain data, arrays or frames instead."
NEXT_BACK = "Bring it back pickled with --pickle, or name it in a later %%cumulus cell."
#: Tag of a node -> what people call its encoding; all others are JSON.
ENCODINGS = {
    "ndarray": "npy",
    **dict.fromkeys(("frame", "series", "index", "polars", "pyarrow"), "arrow"),
    **dict.fromkeys(("tensor", "storage"), "safetensors"),
    **dict.fromkeys(("module", "name"), "import"),
    **dict.fromkeys(("bytes", "bytearray"), "bytes"),
    **{name: name for name in ("image", "picture", "pickle", "remote")},
    "def": "source",
    "inst": "state",
}


def too_large(size: int, limit: int) -> str:
    """The reason of a value over the limit."""
    return f"too large: {size / 2**20:.1f} MiB, the limit is {limit / 2**20:g} MiB"
