"""pandas: frames, series, indexes, and its scalars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional

import numpy
import pandas

from .arrays import describe_dtype, read_dtype
from .atoms import AS_NODE, read_atom, tz_parts
from .columns import read_column, read_index, stacked, write_column, write_index
from .containers import Kind
from .parts import part_slots

if TYPE_CHECKING:
    from .decoder import Decoder
    from .encoder import Encoder

np: Any = numpy
pd: Any = pandas
Node = Dict[str, Any]


def inline(obj: Any) -> Any:
    """The atom of a pandas scalar; ``AS_NODE`` for all else."""
    if obj is pd.NaT or obj is pd.NA:
        return ["pd", repr(obj)]
    if type(obj) is pd.Timestamp:
        tz = tz_parts(obj.tzinfo)
        return AS_NODE if tz is AS_NODE else ["pd", "Timestamp", obj._value, obj.unit, tz]
    if type(obj) is pd.Timedelta:
        return ["pd", "Timedelta", obj._value, obj.unit]
    return ["pd", "Period", obj.ordinal, obj.freqstr] if type(obj) is pd.Period else AS_NODE


def read_scalar(name: str, *parts: Any) -> Any:
    """The pandas scalar of an atom."""
    if name == "NaT":
        return pd.NaT
    if name == "<NA>":
        return pd.NA
    if name == "Period":
        return pd.Period(ordinal=parts[0], freq=parts[1])
    if name == "Timedelta":
        return pd.Timedelta(parts[0], unit=parts[1]).as_unit(parts[1])
    if name != "Timestamp":
        raise ValueError(f"unknown scalar {name!r}")
    moment = pd.Timestamp(np.datetime64(parts[0], parts[1]))
    zone = read_atom(["tz", parts[2]]) if parts[2] is not None else None
    return moment if zone is None else moment.tz_localize("UTC").tz_convert(zone)


def encode(encoder: Encoder, obj: Any) -> Optional[Node]:
    """The node of a frame, a series or an index; ``None`` for all else."""
    if type(obj) is pd.DataFrame:
        return _frame(encoder, obj)
    if type(obj) is pd.Series:
        part = write_column(encoder, _values(obj))
        name, index = encoder.slot(obj.name), write_index(encoder, obj.index)
        return {"t": "series", "parts": {"data": part, "index": index, "name": name, **_attrs(encoder, obj)}}
    if isinstance(obj, pd.Index) and type(obj).__module__.partition(".")[0] == "pandas":
        return {"t": "index", "parts": write_index(encoder, obj)}
    if isinstance(obj, pd.api.extensions.ExtensionArray):
        return {"t": "pdarray", "parts": write_column(encoder, obj)}
    return None


def _attrs(encoder: Encoder, obj: Any) -> Node:
    # The mapping itself is copied whenever it is set; what it holds stays itself.
    return (
        {"attrs": [{"obj": encoder.run(list(run))} for run in (obj.attrs, obj.attrs.values())]}
        if obj.attrs
        else {}
    )


def _values(series: Any) -> Any:
    return series.to_numpy(copy=False) if isinstance(series.dtype, np.dtype) else series.array


def _frame(encoder: Encoder, frame: Any) -> Node:
    groups: Dict[Any, List[int]] = {}
    columns = []
    for position, dtype in enumerate(frame.dtypes):
        if isinstance(dtype, np.dtype) and not dtype.hasobject:
            groups.setdefault(dtype, []).append(position)
        else:
            values = _values(frame.iloc[:, position])
            columns.append({"at": position, **write_column(encoder, values)})
    blocks = []
    for dtype, positions in groups.items():
        block = write_column(encoder, np.ascontiguousarray(stacked(frame, positions)))
        blocks.append({"np": describe_dtype(dtype), "b": block["b"], "at": positions})
    parts = {
        "index": write_index(encoder, frame.index),
        "labels": write_index(encoder, frame.columns),
        "blocks": blocks,
        "columns": columns,
        **_attrs(encoder, frame),
    }
    return {"t": "frame", "rows": len(frame), "parts": parts}


class _Pandas(Kind):
    """Made at once from its parts; what its objects refer to must be there."""

    def hard(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        return [[[number] for number in part_slots(node["parts"])]]

    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        if node["t"] == "index":
            return read_index(reader, node["parts"])
        if node["t"] == "pdarray":
            return read_column(reader, node["parts"])
        obj = self.table(reader, node)
        if "attrs" in node["parts"]:
            keys, values = (reader.run(part["obj"]) for part in node["parts"]["attrs"])
            obj.attrs = dict(zip(keys, values))
        return obj

    def table(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        parts = node["parts"]
        index = read_index(reader, parts["index"])
        if node["t"] == "frame":
            return _read_frame(reader, node, index)
        values = read_column(reader, parts["data"])
        return pd.Series(values, index, values.dtype, reader.value(parts["name"]), copy=False)

    def renew(self, reader: Decoder, node: Mapping[str, Any], old: Any) -> bool:
        cls = {"frame": pd.DataFrame, "series": pd.Series}.get(node["t"])
        if cls is None or type(old) is not cls or not hasattr(old, "_update_inplace"):
            return False
        new = self.make(reader, node)
        old._update_inplace(new)
        old.attrs = new.attrs
        if cls is pd.Series:
            old.name = new.name
        return True


def _read_frame(reader: Decoder, node: Mapping[str, Any], index: Any) -> Any:
    parts, rows = node["parts"], node["rows"]
    labels = read_index(reader, parts["labels"])
    if len(index) != rows:
        raise ValueError(f"a frame of {rows} rows with an index of {len(index)}")
    blocks = []
    for block in parts["blocks"]:
        dtype = read_dtype(block["np"])
        values = np.frombuffer(reader.private_blob(block["b"]), dtype) if rows else np.empty(0, dtype)
        blocks.append((block["at"], values.reshape(len(block["at"]), rows)))
    if len(blocks) == 1 and not parts["columns"] and blocks[0][0] == list(range(len(labels))):
        return pd.DataFrame(blocks[0][1].T, index, labels, copy=False)
    columns = {part["at"]: read_column(reader, part) for part in parts["columns"]}
    for positions, values in blocks:
        columns.update(zip(positions, values))
    if sorted(columns) != list(range(len(labels))):
        raise ValueError(f"a frame of {len(columns)} columns with {len(labels)} labels")
    series = {
        position: pd.Series(columns[position], index, columns[position].dtype, copy=False)
        for position in sorted(columns)
    }
    frame = pd.DataFrame(series, index, copy=False)
    frame.columns = labels
    return frame


KINDS: Dict[str, Kind] = dict.fromkeys(("frame", "series", "index", "pdarray"), _Pandas())
