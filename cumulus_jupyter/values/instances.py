"""Instances: of the notebook's own classes, and of importable classes where rebuilding is safe.

Nothing here calls a constructor. A class is safe to rebuild from its state alone if it is a
dataclass, a named tuple, an exception, or a model of a library listed in ``_MODELS``, whose state is
data; all other importable classes are left to the pickle fallback.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional

from .containers import Kind, holds, sorted_run

if TYPE_CHECKING:
    from .decoder import Decoder
    from .encoder import Encoder

Node = Dict[str, Any]
#: Base classes, by module, whose subclasses hold nothing but data in ``__dict__``.
_MODELS = (
    ("sklearn.base", "BaseEstimator"),
    ("torch.nn.modules.module", "Module"),
    ("torch.optim.optimizer", "Optimizer"),
    ("torch.optim.lr_scheduler", "LRScheduler"),
    ("scipy.sparse", "spmatrix"),
    ("scipy.sparse", "sparray"),
    ("subprocess", "CompletedProcess"),
    ("IPython.utils.text", "SList"),
    ("collections", "ChainMap"),
    ("collections", "UserDict"),
    ("collections", "UserList"),
)
#: Built-in containers that a notebook's class may derive from.
_CONTAINERS = (list, dict, set)
#: Built-in values likewise, and what such an instance is without its class.
_PLAIN: Dict[type, Callable[[Any], Any]] = {
    int: int.__int__,
    float: float.__float__,
    str: str.__str__,
    bytes: lambda obj: bytes.__getitem__(obj, slice(None)),
    tuple: lambda obj: tuple.__getitem__(obj, slice(None)),
}
_HOOKS = ("__reduce__", "__reduce_ex__", "__getnewargs__", "__getnewargs_ex__")


def encode_instance(encoder: Encoder, obj: Any) -> Optional[Node]:
    """The node of an instance, or ``None`` where its class is not one of the safe kinds."""
    cls = type(obj)
    if isinstance(obj, BaseException):
        return _exception(encoder, obj)
    if isinstance(obj, tuple) and isinstance(getattr(cls, "_fields", None), tuple):
        if _overrides(cls, _HOOKS[:2]):
            return None
        return {"t": "nt", "c": encoder.slot(cls), "v": encoder.run(list(obj))}
    if not _is_rebuildable(cls):
        return None
    content = _content(encoder, obj)
    if _own_state(cls):
        return {"t": "inst", "c": encoder.slot(cls), "state": encoder.slot(obj.__getstate__()), **content}
    # How an instance of a generic class was written is only for type checkers.
    attributes = {k: v for k, v in getattr(obj, "__dict__", {}).items() if k != "__orig_class__"}
    slots = _slot_values(obj)
    names, values = [*attributes, *slots], [*attributes.values(), *slots.values()]
    return {"t": "inst", "c": encoder.slot(cls), "k": encoder.run(names), "v": encoder.run(values), **content}


def _content(encoder: Encoder, obj: Any) -> Node:
    """What an instance holds as the list, set, dict or text that it is, past the methods of its class."""
    base = _base(type(obj))
    if base in _PLAIN:
        plain = _PLAIN[base](obj)
        return {"w": encoder.run(list(plain) if base is tuple else [plain])}
    if base is dict:
        return {"i": encoder.run(list(dict.keys(obj))), "j": encoder.run(list(dict.values(obj)))}
    if base is set:
        return {"i": sorted_run(encoder, list(set.__iter__(obj)))}
    return {"i": encoder.run(list(list.__iter__(obj)))} if base is list else {}


def _base(cls: type) -> Any:
    """The built-in class whose instances these are: ``object``, a container, or a plain one."""
    return next((base for base in cls.__mro__ if base in _CONTAINERS or base in _PLAIN), object)


def _is_rebuildable(cls: type) -> bool:
    """Whether its built-in base's ``__new__`` and the state make an instance, and doing so is safe."""
    new: Any = cls.__new__
    if new is not _base(cls).__new__ and getattr(new, "__module__", "") != "typing":
        return False
    if _overrides(cls, _HOOKS) or not _is_model(cls) and _has_foreign_state(cls):
        return False
    if cls.__module__ == "__main__" or hasattr(cls, "__dataclass_fields__"):
        return True
    return _is_model(cls)


def _has_foreign_state(cls: type) -> bool:
    """Whether a class that is not the notebook's says what the state is, as that of frames does."""
    foreign = (base for base in cls.__mro__ if base.__module__ not in ("__main__", "builtins"))
    return cls.__module__ == "__main__" and any("__getstate__" in vars(base) for base in foreign)


def _is_model(cls: type) -> bool:
    for module, name in _MODELS:
        base = getattr(sys.modules.get(module), name, None)
        if isinstance(base, type) and issubclass(cls, base):
            return True
    return False


def _overrides(cls: type, names: Any) -> bool:
    builtin = (object, *_PLAIN, *_CONTAINERS)
    return any(name in vars(base) for base in cls.__mro__ if base not in builtin for name in names)


def _own_state(cls: type) -> bool:
    """Whether the notebook's class says itself what its state is, or torch for an optimizer."""
    bases = [base for base in cls.__mro__ if base.__module__ in ("__main__", "torch.optim.optimizer")]
    return any("__getstate__" in vars(b) for b in bases) and any("__setstate__" in vars(b) for b in bases)


def _slot_values(obj: Any) -> Dict[str, Any]:
    values = {}
    for base in type(obj).__mro__:
        names = vars(base).get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if name in ("__dict__", "__weakref__"):
                continue
            if name.startswith("__") and not name.endswith("__"):
                name = f"_{base.__name__.lstrip('_')}{name}"
            try:
                values[name] = object.__getattribute__(obj, name)
            except AttributeError:
                continue
    return values


def _exception(encoder: Encoder, obj: BaseException) -> Node:
    state = vars(obj)
    node = {"t": "exc", "c": encoder.slot(type(obj)), "args": encoder.slot(obj.args)}
    if isinstance(obj, OSError):  # whose args lack the file's name
        node["given"] = encoder.run(list(OSError.__reduce__(obj)[1]))
    node.update(k=encoder.run(list(state)), v=encoder.run(list(state.values())))
    return {**node, "cause": encoder.slot(obj.__cause__), "quiet": obj.__suppress_context__}


def _class(reader: Decoder, slot: Any) -> type:
    cls = reader.value(slot)
    if not isinstance(cls, type):
        raise ValueError("an instance whose class is no class")
    return cls


class _Instance(Kind):
    def hard(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        return [[node["c"]], node.get("w", [])]

    def soft(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        content = [node[key] for key in ("i", "j") if key in node]
        return [*content, *([[node["state"]]] if "state" in node else [node["k"], node["v"]])]

    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        cls = _class(reader, node["c"])
        if not _is_rebuildable(cls):
            raise ValueError(f"{cls.__qualname__} is not rebuilt from its state")
        base = _base(cls)
        if base not in _PLAIN:
            return base.__new__(cls)
        items = reader.run(node["w"])
        plain = tuple(items) if base is tuple else items[0]
        if type(plain) is not base:
            raise ValueError(f"{cls.__qualname__} of a {type(plain).__name__}")
        return base.__new__(cls, plain)

    def fill(self, reader: Decoder, node: Mapping[str, Any], obj: Any) -> None:
        if "i" in node:
            _refill(obj, reader.run(node["i"]), reader.run(node["j"]) if "j" in node else None)
        if "state" in node:
            obj.__setstate__(reader.value(node["state"]))
            return
        names, values = reader.run(node["k"]), reader.run(node["v"])
        if len(names) != len(values) or not all(isinstance(name, str) for name in names):
            raise ValueError("an instance whose attributes have no names")
        attributes = getattr(obj, "__dict__", None)
        slots = _slot_names(type(obj))
        if attributes is not None:
            attributes.clear()
        for name, value in zip(names, values):
            if name in slots:
                object.__setattr__(obj, name, value)
            elif attributes is not None:
                attributes[name] = value
            else:
                raise ValueError(f"{type(obj).__qualname__} has no place for {name!r}")

    def renew(self, reader: Decoder, node: Mapping[str, Any], old: Any) -> bool:
        if type(old) is not reader.value(node["c"]):
            return False
        base = _base(type(old))
        if base is tuple:
            return holds(reader, node["w"], _PLAIN[base](old))
        return base not in _PLAIN or _PLAIN[base](old) == reader.run(node["w"])[0]


def _refill(obj: Any, items: List[Any], values: Optional[List[Any]]) -> None:
    """Give a container its content anew, by its built-in class's methods and no others."""
    base = _base(type(obj))
    if (base is dict) != (values is not None) or (values is not None and len(items) != len(values)):
        raise ValueError("a container whose content is not of its kind")
    if base is list:
        list.__setitem__(obj, slice(None), items)
    elif base is set:
        set.clear(obj)
        set.update(obj, items)
    elif values is not None:
        dict.clear(obj)
        for key, value in zip(items, values):
            dict.__setitem__(obj, key, value)
    else:
        raise ValueError(f"{type(obj).__qualname__} is no container")


def _slot_names(cls: type) -> set[str]:
    # A slot shows itself to no type checker.
    member = type(_Member.x)  # type: ignore[attr-defined]
    return {name for base in cls.__mro__ for name, value in vars(base).items() if type(value) is member}


class _Member:
    __slots__ = ("x",)


class _Exception(Kind):
    def hard(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        return [[node["c"], node["args"]], node.get("given", [])]

    def soft(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        return [node["k"], node["v"], [node["cause"]]]

    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        cls = _class(reader, node["c"])
        args = reader.value(node["args"])
        if not issubclass(cls, BaseException) or type(args) is not tuple:
            raise ValueError("an exception whose class is none")
        # Those of the nearest built-in base: no code of the class runs.
        builtin: Any = next(base for base in cls.__mro__ if base.__module__ == "builtins")
        given = reader.run(node["given"]) if "given" in node else args
        error = builtin.__new__(cls, *given)
        builtin.__init__(error, *given)
        error.args = args
        return error

    def fill(self, reader: Decoder, node: Mapping[str, Any], obj: Any) -> None:
        obj.__dict__.clear()
        obj.__dict__.update(zip(reader.run(node["k"]), reader.run(node["v"])))
        obj.__cause__ = reader.value(node["cause"])
        obj.__suppress_context__ = bool(node["quiet"])

    def renew(self, reader: Decoder, node: Mapping[str, Any], old: Any) -> bool:
        return type(old) is reader.value(node["c"]) and old.args is reader.value(node["args"])


class _NamedTuple(Kind):
    def hard(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        return [[node["c"]], node["v"]]

    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        cls = _class(reader, node["c"])
        fields = getattr(cls, "_fields", None)
        items = reader.run(node["v"])
        if not issubclass(cls, tuple) or not isinstance(fields, tuple) or len(fields) != len(items):
            raise ValueError("a named tuple whose class is none")
        return tuple.__new__(cls, items)

    def renew(self, reader: Decoder, node: Mapping[str, Any], old: Any) -> bool:
        return type(old) is reader.value(node["c"]) and holds(reader, node["v"], old)


KINDS: Dict[str, Kind] = {"inst": _Instance(), "exc": _Exception(), "nt": _NamedTuple()}
