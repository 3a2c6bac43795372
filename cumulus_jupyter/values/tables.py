"""polars and pyarrow: their own Arrow streams."""

from __future__ import annotations

import io
from importlib import import_module
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional

from .containers import Kind

if TYPE_CHECKING:
    from .decoder import Decoder
    from .encoder import Encoder


def encode(encoder: Encoder, obj: Any) -> Optional[Dict[str, Any]]:
    """The node of a polars frame or series, or of a pyarrow table; ``None`` for all else."""
    name = f"{type(obj).__module__.partition('.')[0]}.{type(obj).__name__}"
    if name == "polars.DataFrame":
        return {"t": "polars", "of": "frame", "b": encoder.blob(_polars(obj))}
    if name == "polars.Series":
        return {"t": "polars", "of": "series", "name": obj.name, "b": encoder.blob(_polars(obj.to_frame()))}
    if name in ("pyarrow.Table", "pyarrow.RecordBatch"):
        import pyarrow as pa

        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, obj.schema) as writer:
            writer.write(obj)
        return {"t": "pyarrow", "of": type(obj).__name__, "b": encoder.blob(memoryview(sink.getvalue()))}
    return None


def _polars(frame: Any) -> memoryview:
    file = io.BytesIO()
    frame.write_ipc_stream(file)
    return memoryview(file.getvalue())


class _Polars(Kind):
    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        pl: Any = import_module("polars")
        frame = pl.read_ipc_stream(io.BytesIO(reader.blob(node["b"])))
        return frame.to_series(0) if node["of"] == "series" else frame

    def renew(self, reader: Decoder, node: Mapping[str, Any], old: Any) -> bool:
        new = self.make(reader, node)
        inner = "_s" if node["of"] == "series" else "_df"
        if type(old) is not type(new) or not hasattr(old, inner):
            return False
        setattr(old, inner, getattr(new, inner))
        return True


class _Arrow(Kind):
    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        pa: Any = import_module("pyarrow")
        # The table lives in the blob's memory.
        with pa.ipc.open_stream(pa.py_buffer(reader.blob(node["b"]))) as stream:
            if node["of"] == "RecordBatch":
                batch = stream.read_next_batch()
                batch.validate(full=True)
                return batch
            table = stream.read_all()
        table.validate(full=True)
        return table


def unchanged(node: Mapping[str, Any], blob: Any, obj: Any) -> bool:
    """Whether a table still holds what it was decoded from."""
    if node["t"] == "pyarrow":
        return True  # immutable
    pl: Any = import_module("polars")
    from .buffers import flat

    old = pl.read_ipc_stream(io.BytesIO(flat(blob)))
    if node["of"] == "series":
        same: bool = obj.name == node["name"] and old.to_series(0).equals(obj, check_dtypes=True)
        return same
    return bool(obj.schema == old.schema and old.equals(obj))


KINDS: Dict[str, Kind] = {"polars": _Polars(), "pyarrow": _Arrow()}
