"""The named fallback: one pickle per object that has no neutral encoding.

Objects that the graph holds already, and the notebook's own functions and classes, are not in the
pickle but referred to, so that they stay one object. Large buffers (protocol 5) are blobs of their own.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import sys
from types import FunctionType
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional

from .containers import Kind
from .model import type_name
from .trust import Unresolved

if TYPE_CHECKING:
    from .decoder import Decoder
    from .encoder import Encoder

#: Buffers below this stay inside the pickle.
_OUT_OF_BAND_BYTES = 1 << 16


def _pickler(file: Any, refer: Callable[[Any], Any], keep: Callable[[Any], bool]) -> Any:
    try:
        import cloudpickle

        base: Any = cloudpickle.Pickler
    except ImportError:
        base = pickle.Pickler

    # The base is chosen at run time, which mypy cannot follow.
    class Pickler(base):  # type: ignore[misc]
        def persistent_id(self, obj: Any) -> Any:
            return refer(obj)

    return Pickler(file, 5, buffer_callback=keep)


def _reference(encoder: Encoder, root: Any) -> Callable[[Any], Any]:
    """What the pickler asks of each object: its node's slot, or ``None`` to pickle it."""

    def refer(obj: Any) -> Any:
        if obj is root:
            return None
        if isinstance(obj, (type, FunctionType)) and getattr(obj, "__module__", None) == "__main__":
            from .definitions import definition_of

            return encoder.slot(obj) if definition_of(encoder, obj) is not None else None
        if id(obj) in encoder.memo and _is_shared(obj):
            return encoder.slot(obj)
        return None

    return refer


def _is_shared(obj: Any) -> bool:
    """Whether it has a node that can be made before the pickle is loaded."""
    cls = type(obj)
    if cls in (list, dict, set, bytearray):
        return True
    return f"{cls.__module__}.{cls.__name__}" in _SHARED


_SHARED = ("numpy.ndarray", "torch.Tensor", "torch.nn.parameter.Parameter")


def dump(encoder: Encoder, obj: Any, file: Any, buffers: Optional[List[Any]] = None) -> None:
    """Pickles an object as ``encode_pickle`` does."""

    def keep(buffer: pickle.PickleBuffer) -> bool:
        if buffers is None or memoryview(buffer).nbytes < _OUT_OF_BAND_BYTES:
            return True
        buffers.append(buffer.raw())
        return False

    _pickler(file, _reference(encoder, obj), keep).dump(obj)


def encode_pickle(encoder: Encoder, obj: Any) -> Dict[str, Any]:
    """The pickle node of an object. Raises ``NotEncodable``."""
    from .model import NotEncodable

    buffers: List[Any] = []
    file = io.BytesIO()
    try:
        dump(encoder, obj, file, buffers)
    except Exception as error:
        raise NotEncodable(f"a {type_name(obj)} cannot be pickled: {error}") from error
    encoder.pickled = True
    return {
        "t": "pickle",
        "b": encoder.blob(memoryview(file.getvalue())),
        "bufs": [encoder.blob(buffer) for buffer in buffers],
        "py": list(sys.version_info[:2]),
        "refs": [[number] for number in dict.fromkeys(encoder.refs)],
    }


class _Hash(io.RawIOBase):
    def __init__(self) -> None:
        self.hash = hashlib.blake2b(digest_size=16)

    def write(self, data: Any) -> int:
        self.hash.update(data)
        return memoryview(data).nbytes


def digest(encoder: Encoder, obj: Any) -> Optional[bytes]:
    """A hash of the object's pickle, by which a change shows; ``None`` where it has none."""
    file = _Hash()
    try:
        dump(encoder, obj, file)
    except Exception:
        return None
    return file.hash.digest()


class _Pickle(Kind):
    def hard(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        return [node["refs"]]

    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        if not reader.trust.allow_pickle:
            raise Unresolved("it is pickled, and loading a pickle was not allowed")
        if node["py"] != list(sys.version_info[:2]):
            there, here = ".".join(map(str, node["py"])), ".".join(map(str, sys.version_info[:2]))
            raise Unresolved(f"it was pickled by Python {there}, this is Python {here}")

        class Unpickler(pickle.Unpickler):
            def persistent_load(self, slot: Any) -> Any:
                return reader.value(slot)

        buffers = [reader.private_blob(name) for name in node["bufs"]]
        return Unpickler(io.BytesIO(reader.blob(node["b"])), buffers=buffers).load()


KINDS: Dict[str, Kind] = {"pickle": _Pickle()}
