"""Columns and indexes of pandas, as parts of a node.

A column of a numpy type is its bytes; a categorical one its codes and its categories, which are an index;
one of another extension type (nullable, zoned, Arrow's own) is an Arrow stream that holds pandas'
description of the type; one of Python objects is a run of slots, so that each object stays itself. Parts
lie inside the frame's node: taken out of a frame, a column has no identity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List

import numpy
import pandas

from .arrays import array_bytes, describe_dtype, read_dtype

if TYPE_CHECKING:
    from .decoder import Decoder
    from .encoder import Encoder

np: Any = numpy
pd: Any = pandas
Part = Dict[str, Any]


def write_column(encoder: Encoder, values: Any) -> Part:
    """The part of one array, of numpy's or an extension type. Raises ``NotEncodable``."""
    if isinstance(values, np.ndarray) and not values.dtype.hasobject:
        return {"np": describe_dtype(values.dtype), "b": encoder.blob(array_bytes(values)[0])}
    if values.dtype == object:
        return {"obj": encoder.run(list(values))}
    if isinstance(values, pd.Categorical):
        # Arrow knows no categories that are intervals or periods.
        codes, labels = write_column(encoder, values.codes), write_index(encoder, values.categories)
        return {"codes": codes, "labels": labels, "ordered": bool(values.ordered)}
    try:
        part = {"arrow": str(values.dtype), "b": encoder.blob(_arrow(values))}
        return {**part, "own": True} if isinstance(values.dtype, pd.ArrowDtype) else part
    except ImportError:
        pass
    except Exception as error:
        from .model import NotEncodable

        raise NotEncodable(f"a column of type {values.dtype} has no Arrow form: {error}") from error
    # Text and other plain extension types survive as objects.
    return {"obj": encoder.run([None if item is pd.NA else item for item in values]), "as": str(values.dtype)}


def _arrow(values: Any) -> Any:
    import pyarrow as pa

    frame = pd.DataFrame({"0": values})
    data = pa.Table.from_pandas(frame, preserve_index=False)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, data.schema) as writer:
        writer.write(data)
    return memoryview(sink.getvalue())


def read_column(reader: Decoder, part: Part) -> Any:
    """The array of a part, its memory its own."""
    if "np" in part:
        return np.frombuffer(reader.private_blob(part["b"]), read_dtype(part["np"]))
    if "arrow" in part:
        import pyarrow as pa

        with pa.ipc.open_stream(pa.py_buffer(reader.blob(part["b"]))) as stream:
            table = stream.read_all()
        table.validate(full=True)
        # pandas cannot read the names it gives to Arrow's own types.
        own = {"types_mapper": pd.ArrowDtype, "ignore_metadata": True} if part.get("own") else {}
        return table.to_pandas(**own)["0"].array
    if "labels" in part:
        codes, labels = read_column(reader, part["codes"]), read_index(reader, part["labels"])
        return pd.Categorical.from_codes(codes, labels, ordered=part["ordered"])
    items = reader.run(part["obj"])
    if "as" in part:
        return pd.array(items, dtype=part["as"])
    values = np.empty(len(items), object)
    for position, item in enumerate(items):
        values[position] = item
    return values


def write_index(encoder: Encoder, index: Any) -> Part:
    """The part of an index. Raises ``NotEncodable``."""
    if type(index) is pd.RangeIndex:
        return {"range": [index.start, index.stop, index.step], "name": encoder.slot(index.name)}
    if type(index) is pd.MultiIndex:
        levels = [write_index(encoder, level) for level in index.levels]
        codes = [write_column(encoder, np.asarray(codes)) for codes in index.codes]
        return {"levels": levels, "codes": codes, "names": [encoder.slot(name) for name in index.names]}
    values = index.array
    if isinstance(values, pd.arrays.NumpyExtensionArray):
        values = values.to_numpy()
    elif type(values) in (pd.arrays.DatetimeArray, pd.arrays.TimedeltaArray) and values.dtype.kind in "mM":
        values = index.to_numpy() if getattr(values, "tz", None) is None else values
    part = {"flat": write_column(encoder, values), "name": encoder.slot(index.name)}
    freq = getattr(index, "freqstr", None)
    if freq is not None and not isinstance(index, pd.PeriodIndex):
        part["freq"] = freq
    return part


def read_index(reader: Decoder, part: Part, depth: int = 0) -> Any:
    """The index of a part."""
    if depth > 1:
        raise ValueError("an index nested too deep")
    if "range" in part:
        return pd.RangeIndex(*part["range"], name=reader.value(part["name"]))
    if "levels" in part:
        return pd.MultiIndex(
            levels=[read_index(reader, level, depth + 1) for level in part["levels"]],
            codes=[read_column(reader, codes) for codes in part["codes"]],
            names=[reader.value(name) for name in part["names"]],
        )
    values = read_column(reader, part["flat"])
    index = pd.Index(values, dtype=values.dtype, name=reader.value(part["name"]), copy=False)
    if "freq" in part:
        index.freq = part["freq"]
    return index


def stacked(frame: Any, positions: List[int]) -> Any:
    """Columns of one numpy type as rows of one array; no copy where pandas holds them so."""
    block = frame.iloc[:, positions] if len(positions) < frame.shape[1] else frame
    return block.to_numpy(copy=False).T
