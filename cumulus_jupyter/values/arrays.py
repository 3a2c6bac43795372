"""numpy arrays and scalars. The array's own memory is the blob, and the blob becomes the array."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional

import numpy

from .atoms import AS_NODE
from .buffers import buffers_equal
from .containers import Kind

if TYPE_CHECKING:
    from .decoder import Decoder
    from .encoder import Encoder

np: Any = numpy


def inline(obj: Any) -> Any:
    """The atom of a numpy scalar; ``AS_NODE`` for all else."""
    if not isinstance(obj, np.generic) or type(obj) is np.object_:
        return AS_NODE
    if obj.dtype.fields is not None or obj.dtype.hasobject or obj.nbytes > 512:
        return AS_NODE
    return ["np", obj.dtype.str, b64encode(obj.tobytes()).decode()]


def read_scalar(dtype: str, data: str) -> Any:
    """The numpy scalar of an atom."""
    return np.frombuffer(b64decode(data, validate=True), dtype=_plain_dtype(dtype))[0]


def _plain_dtype(text: Any) -> Any:
    dtype = np.dtype(text) if type(text) is str else None
    if dtype is None or dtype.hasobject:
        raise ValueError(f"not a plain dtype: {text!r}")
    return dtype


def describe_dtype(dtype: Any) -> Any:
    """JSON for a dtype without objects: its string, or fields with their places."""
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return {"base": describe_dtype(base), "shape": list(shape)}
    if dtype.fields is None:
        return dtype.str
    fields = []
    for name in dtype.names:
        inner, offset, *title = dtype.fields[name]
        fields.append([name, describe_dtype(inner), offset, *(str(part) for part in title)])
    return {"fields": fields, "size": dtype.itemsize, "align": dtype.isalignedstruct}


def read_dtype(description: Any, depth: int = 0) -> Any:
    if depth > 16:
        raise ValueError("a dtype nested too deep")
    if type(description) is str:
        return _plain_dtype(description)
    if "base" in description:
        return np.dtype((read_dtype(description["base"], depth + 1), tuple(description["shape"])))
    fields = description["fields"]
    return np.dtype(
        {
            "names": [field[0] for field in fields],
            "formats": [read_dtype(field[1], depth + 1) for field in fields],
            "offsets": [field[2] for field in fields],
            "titles": [field[3] if len(field) > 3 else None for field in fields],
            "itemsize": description["size"],
        },
        align=bool(description["align"]),
    )


def encode(encoder: Encoder, obj: Any) -> Optional[Dict[str, Any]]:
    """The node of an array, a dtype or a structured scalar; ``None`` for all else."""
    if isinstance(obj, np.dtype):
        return None if obj.hasobject else {"t": "dtype", "d": describe_dtype(obj)}
    if isinstance(obj, np.void) and not obj.dtype.hasobject:
        return {**_array_node(encoder, np.asarray(obj)), "scalar": True}
    if type(obj) is np.ma.MaskedArray:
        mask = np.ma.getmaskarray(obj)
        if obj.dtype.hasobject or obj.dtype.fields is not None:
            return None
        parts = {"data": _array_node(encoder, obj.data), "mask": _array_node(encoder, mask)}
        return {"t": "masked", "parts": parts, "fill": encoder.slot(obj.fill_value)}
    if type(obj) not in (np.ndarray, np.memmap):
        if not type(obj).__module__.startswith("numpy.random"):
            return None
        from . import generators

        return generators.encode(encoder, obj)
    if obj.dtype.hasobject:
        if obj.dtype.char != "O":  # text of any length, or fields that hold objects
            return None
        return {"t": "ndobject", "shape": list(obj.shape), "v": encoder.run(obj.ravel().tolist())}
    return _array_node(encoder, obj)


def _array_node(encoder: Encoder, obj: Any) -> Dict[str, Any]:
    node = {"t": "ndarray", "d": describe_dtype(obj.dtype), "shape": list(obj.shape)}
    if not obj.flags.writeable:
        node["ro"] = True
    data, node["f"] = array_bytes(obj)
    node["b"] = encoder.blob(data)
    return node


def array_bytes(obj: Any) -> Any:
    """The bytes of an array without a copy where it is contiguous, and whether in Fortran order."""
    fortran = bool(obj.flags.f_contiguous and not obj.flags.c_contiguous)
    flat = obj.T if fortran else np.ascontiguousarray(obj)
    if flat.size == 0:
        return b"", fortran
    return memoryview(flat.reshape(-1).view(np.uint8)), fortran


class _Array(Kind):
    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        import numpy as np

        dtype, shape = read_dtype(node["d"]), _shape(node["shape"])
        readonly = bool(node.get("ro"))
        blob = reader.blob(node["b"]) if readonly else reader.private_blob(node["b"])
        count = 1
        for length in shape:
            count *= length
        if count * dtype.itemsize != blob.nbytes:
            raise ValueError(f"an array of shape {shape} with {blob.nbytes} bytes")
        order: Any = "F" if node.get("f") else "C"
        array = np.ndarray(shape, dtype, blob, 0, None, order)
        if node.get("scalar"):
            return array[()]
        if readonly:
            array.flags.writeable = False
        return array

    def renew(self, reader: Decoder, node: Mapping[str, Any], old: Any) -> bool:
        import numpy as np

        if type(old) is not np.ndarray or node.get("scalar") or not old.flags.writeable:
            return False
        if list(old.shape) != node["shape"] or old.dtype != read_dtype(node["d"]):
            return False
        # Read-only: the new bytes are only copied from, once.
        old[...] = self.make(reader, {**node, "ro": True})
        return True


class _Objects(Kind):
    def soft(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        return [node["v"]]

    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        import numpy as np

        shape, count = _shape(node["shape"]), 1
        for length in shape:
            count *= length
        run = node["v"]
        # What is packed takes a byte for each item at least.
        if count != (min(run["n"], reader.blob(run["b"]).nbytes + 1) if type(run) is dict else len(run)):
            raise ValueError(f"an array of shape {shape} with another number of items")
        return np.empty(shape, object)

    def fill(self, reader: Decoder, node: Mapping[str, Any], obj: Any) -> None:
        # Item by item: an assignment of the whole list would look into nested sequences.
        flat = obj.reshape(-1) if obj.flags.c_contiguous else obj.flat
        for position, item in enumerate(reader.run(node["v"])):
            flat[position] = item

    def renew(self, reader: Decoder, node: Mapping[str, Any], old: Any) -> bool:
        import numpy as np

        return type(old) is np.ndarray and old.dtype == object and list(old.shape) == node["shape"]


class _Masked(Kind):
    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        data, mask = (_ARRAY.make(reader, node["parts"][name]) for name in ("data", "mask"))
        return np.ma.MaskedArray(data, mask=mask, fill_value=reader.value(node["fill"]))

    def renew(self, reader: Decoder, node: Mapping[str, Any], old: Any) -> bool:
        if type(old) is not np.ma.MaskedArray or list(old.shape) != node["parts"]["data"]["shape"]:
            return False
        new = self.make(reader, node)
        if old.dtype != new.dtype:
            return False
        old[...] = new
        old.fill_value = new.fill_value
        return True


class _DType(Kind):
    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        return read_dtype(node["d"])


def _shape(shape: Any) -> Any:
    if type(shape) is not list or len(shape) > 64 or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"not a shape: {shape!r}")
    return tuple(shape)


def unchanged(node: Mapping[str, Any], blob: Any, obj: Any) -> bool:
    """Whether an array still holds the bytes it was decoded from."""
    if node.get("scalar"):
        obj = np.asarray(obj)
    if type(obj) is not np.ndarray or list(obj.shape) != node["shape"]:
        return False
    if not node.get("scalar") and bool(node.get("ro")) == bool(obj.flags.writeable):
        return False
    if describe_dtype(obj.dtype) != node["d"]:
        return False
    data, fortran = array_bytes(obj)
    return fortran == bool(node.get("f")) and buffers_equal(data, blob)


_ARRAY = _Array()
KINDS: Dict[str, Kind] = {"ndarray": _ARRAY, "ndobject": _Objects(), "masked": _Masked(), "dtype": _DType()}
