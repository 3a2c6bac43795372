"""Things with a name: modules, functions, classes, enum members, methods, partials, patterns."""

from __future__ import annotations

import re
import sys
from functools import partial
from io import TextIOWrapper
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional

from .containers import Kind
from .trust import Unresolved

if TYPE_CHECKING:
    from .decoder import Decoder
    from .encoder import Encoder

Node = Dict[str, Any]


def encode_object(encoder: Encoder, obj: Any) -> Optional[Node]:
    """The node of an object that is no container and of no known library, or ``None``."""
    if isinstance(obj, ModuleType):
        return _module(encoder, obj)
    if isinstance(obj, MethodType):
        return _published(encoder, obj, obj.__self__) or _method(encoder, obj)
    if isinstance(obj, BuiltinFunctionType):
        return named(encoder, obj) or _published(encoder, obj, obj.__self__)
    if isinstance(obj, (type, FunctionType)) or _has_own_name(obj):
        return named(encoder, obj) or _defined(encoder, obj)
    if type(obj) is partial:
        parts = [obj.func, obj.args, obj.keywords]
        return {"t": "partial", "v": encoder.run(parts)} if not obj.__dict__ else None
    if type(obj) is re.Pattern:
        return {"t": "pattern", "v": encoder.run([obj.pattern]), "flags": obj.flags}
    from .remote_value import RemoteValue

    if isinstance(obj, RemoteValue):
        from .model import NotEncodable

        if not obj.stored:
            raise NotEncodable(f"it was not kept in job {obj.job_id}: {obj.reason}", final=True)
        return {"t": "remote", "job": obj.job_id, "name": obj.name}
    if isinstance(obj, TextIOWrapper) and obj not in (sys.stdout, sys.stderr, sys.stdin):
        from .model import NotEncodable

        raise NotEncodable("an open file belongs to the process that opened it", final=True)
    enum = sys.modules.get("enum")
    if enum is not None and isinstance(obj, enum.Enum):
        return _enum(encoder, obj)
    from .instances import encode_instance

    node = encode_instance(encoder, obj)
    return _published(encoder, obj, obj) if node is None and _is_a_mark(obj) else node


def _is_a_mark(obj: Any) -> bool:
    """Whether there is nothing to an object but which one it is, as to ``dataclasses.KW_ONLY``."""
    try:
        return tuple(obj.__reduce_ex__(2)[1:]) == ((type(obj),), None, None, None)
    except Exception:  # it does not want to be copied
        return False


def _published(encoder: Encoder, obj: Any, owner: Any) -> Optional[Node]:
    """The node of what the module of its owner's class has by a name: ``random.randint`` is a method."""
    module = type(owner).__module__
    for name, found in list(vars(sys.modules.get(module, sys)).items()):
        if found is obj and module != "__main__":
            return {"t": "name", "m": encoder.module(module), "q": name}
    return None


def _has_own_name(obj: Any) -> bool:
    """Whether it is a callable that a definition made: a decorated function, a ufunc, ..."""
    return callable(obj) and isinstance(getattr(obj, "__qualname__", None), str)


def _module(encoder: Encoder, obj: ModuleType) -> Optional[Node]:
    name = getattr(obj, "__name__", None)
    if name == "__main__" or not isinstance(name, str) or sys.modules.get(name) is not obj:
        return None
    return {"t": "module", "m": encoder.module(name)}


def named(encoder: Encoder, obj: Any) -> Optional[Node]:
    """The node of something that is importable under its own name."""
    name = getattr(obj, "__qualname__", None) or getattr(obj, "__name__", None)
    module = getattr(obj, "__module__", None)
    if module is None and isinstance(obj, BuiltinFunctionType):
        module = getattr(obj.__self__, "__name__", None) if isinstance(obj.__self__, ModuleType) else None
    if not isinstance(name, str) or not isinstance(module, str) or module == "__main__":
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not obj:
        return None
    return {"t": "name", "m": encoder.module(module), "q": name}


def _defined(encoder: Encoder, obj: Any) -> Optional[Node]:
    """The node of a function or class of the notebook's own, by its source."""
    from .definitions import encode_definition

    return encode_definition(encoder, obj)


def _method(encoder: Encoder, obj: MethodType) -> Optional[Node]:
    name = obj.__func__.__name__
    if getattr(obj.__self__, name, None) != obj:
        return None
    return {"t": "method", "o": encoder.slot(obj.__self__), "n": name}


def _enum(encoder: Encoder, obj: Any) -> Node:
    cls = type(obj)
    node = {"t": "enum", "c": encoder.slot(cls)}
    if cls.__members__.get(obj.name) is obj:
        return {**node, "n": obj.name}
    return {**node, "v": encoder.slot(obj.value)}  # a combination of flags


class _Module(Kind):
    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        return reader.trust.module(node["m"])


class _Name(Kind):
    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        return reader.trust.attribute(node["m"], node["q"])


class _Attribute(Kind):
    """A function that belongs to a class of the notebook's own."""

    def hard(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        return [[node["o"]]]

    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        found = reader.value(node["o"])
        for part in node["n"].split("."):
            if not isinstance(found, type) or part not in vars(found):
                raise Unresolved(f"the class has no {node['n']} here")
            found = getattr(found, part)
        return found


class _Method(Kind):
    def hard(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        return [[node["o"]]]

    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        owner = reader.value(node["o"])
        # Looked up on the class, so that no property of the object runs.
        cls = owner if isinstance(owner, type) else type(owner)
        found = next((vars(base)[node["n"]] for base in cls.__mro__ if node["n"] in vars(base)), None)
        if not isinstance(found, (FunctionType, classmethod)):
            raise Unresolved(f"{cls.__qualname__} has no method {node['n']} here")
        return found.__get__(owner, cls) if isinstance(found, classmethod) else MethodType(found, owner)


class _Enum(Kind):
    def hard(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        return [[node["c"]], [node.get("v")]]

    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        import enum

        cls = reader.value(node["c"])
        if not (isinstance(cls, type) and issubclass(cls, enum.Enum)):
            raise ValueError("an enum member whose class is no enum")
        return cls.__members__[node["n"]] if "n" in node else cls(reader.value(node["v"]))


class _Partial(Kind):
    def hard(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        return [node["v"]]

    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        func, args, keywords = reader.run(node["v"])
        reader.factory(node["v"][0])
        return partial(func, *args, **keywords)


class _Pattern(Kind):
    def hard(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        return [node["v"]]

    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        return re.compile(reader.run(node["v"])[0], node["flags"])


KINDS: Dict[str, Kind] = {
    "module": _Module(),
    "name": _Name(),
    "attr": _Attribute(),
    "method": _Method(),
    "enum": _Enum(),
    "partial": _Partial(),
    "pattern": _Pattern(),
}
