"""Functions and classes of the notebook's own: they travel as source, and are defined again.

Beside the source go the parts of their state that a program can change: a function's defaults and
attributes, a class's plain attributes.
"""

from __future__ import annotations

import linecache
import sys
import zlib
from types import FunctionType
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional

from .atoms import INLINE
from .containers import ENCODERS, Kind
from .model import Definition
from .sources import SourceFinder, imported_packages, is_known
from .trust import Unresolved

if TYPE_CHECKING:
    from .decoder import Decoder
    from .encoder import Encoder

__all__ = ["SourceFinder", "definition_of", "encode_definition", "imported_packages"]

#: Attributes of a class that are not its state.
_MADE_BY_PYTHON = ("_fields", "_field_defaults", "_field_types")


def definition_of(encoder: Encoder, obj: Any) -> Optional[Definition]:
    """The definition of a notebook's own function or class; ``None`` where there is none."""
    if getattr(obj, "__module__", None) != "__main__" or "<locals>" in getattr(obj, "__qualname__", ""):
        return None
    return (encoder.options.definitions or SourceFinder()).find(obj)


def encode_definition(encoder: Encoder, obj: Any) -> Optional[Dict[str, Any]]:
    """The node of a notebook's own function or class, or ``None``."""
    qualname = getattr(obj, "__qualname__", "")
    if "." in qualname and "<locals>" not in qualname and getattr(obj, "__module__", None) == "__main__":
        return _member(encoder, obj, qualname)
    definition = definition_of(encoder, obj)
    if definition is None:
        return None
    node = {
        "t": "def",
        "name": definition.name,
        "source": definition.source,
        "file": definition.filename,
        "line": definition.first_line,
        "needs": list(definition.needs),
        "calls": list(definition.calls),
    }
    encoder.want(definition.needs)
    encoder.want(definition.calls)
    space = encoder.options.globals
    if space is not None and space.get(definition.name) is obj:
        # Its name as well: by that a pickle that the program makes refers to it.
        encoder.want((definition.name,))
    node.update(state(encoder, obj))
    return node


def _member(encoder: Encoder, obj: Any, qualname: str) -> Optional[Dict[str, Any]]:
    """A function that belongs to a class: the class, and the way to it."""
    top, _, rest = qualname.partition(".")
    space = getattr(obj, "__globals__", None) or encoder.options.globals or vars(sys.modules["__main__"])
    owner: Any = space.get(top)
    found = owner
    for part in rest.split("."):
        found = getattr(found, part, None)
    if not isinstance(owner, type) or found is not obj:
        return None
    return {"t": "attr", "o": encoder.slot(owner), "n": rest}


def _is_plain(value: Any) -> bool:
    cls = type(value)
    return cls in INLINE or cls in ENCODERS


def state(encoder: Encoder, obj: Any) -> Dict[str, Any]:
    """The changeable part of a definition's node."""
    if isinstance(obj, type):
        if type(obj).__name__ == "EnumMeta" or type(obj).__name__ == "EnumType":
            return {}
        items = {
            name: value
            for name, value in vars(obj).items()
            if (_is_plain(value) or _was_put_in(encoder, value))
            and not name.startswith("__")
            and name not in _MADE_BY_PYTHON
        }
    elif isinstance(obj, FunctionType) and _is_generic(obj):
        # What is for every object is the statement's own.
        registry = dict(vars(obj)["registry"])
        registry.pop(object, None)
        kinds, does = encoder.run(list(registry)), encoder.run(list(registry.values()))
        return {"kinds": kinds, "does": does} if registry else {}
    elif isinstance(obj, FunctionType) and "__wrapped__" not in vars(obj):
        items = dict(vars(obj))
        for name in ("__defaults__", "__kwdefaults__"):
            value = getattr(obj, name)
            if value is not None and all(map(_is_plain, value.values() if type(value) is dict else value)):
                items[name] = value
    else:
        return {}
    if not items:
        return {}
    return {"k": encoder.run(list(items)), "v": encoder.run(list(items.values()))}


def _was_put_in(encoder: Encoder, member: Any) -> bool:
    """Whether it is no function of the class statement, but one of the notebook's that was set later."""
    own = isinstance(member, FunctionType) and "." not in member.__qualname__
    return own and definition_of(encoder, member) is not None


def _is_generic(function: Any) -> bool:
    """Whether ``functools.singledispatch`` made it: what is registered later is no part of its statement."""
    return callable(getattr(function, "register", None)) and hasattr(function, "registry")


class _Definition(Kind):
    def early(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        return [list(self._at_definition(reader, node).values())]

    def _at_definition(self, reader: Decoder, node: Mapping[str, Any]) -> Dict[str, Any]:
        """Name -> slot of what the statement reads; a decorator is called, so what it reads too."""
        names = list(node["needs"])
        found: Dict[str, Any] = {}
        for name in names:
            if name in reader.roots and name not in found:
                found[name] = reader.roots[name]
                other = reader.node(found[name])
                if other is not None and other is not node and other["t"] == "def":
                    names.extend(other["needs"] + other["calls"])
        return found

    def soft(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        return [node[key] for key in ("k", "v", "kinds", "does") if key in node]

    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        name, source, filename, line = node["name"], node["source"], node["file"], node["line"]
        if not (isinstance(name, str) and isinstance(source, str) and isinstance(filename, str)):
            raise ValueError("a definition that is not text")
        if type(line) is not int or not 1 <= line <= 1_000_000:
            raise ValueError(f"a definition on line {line!r}")
        if not reader.trust.full:
            known = reader.trust.known_source
            if not is_known(source, name, known):
                raise Unresolved(f"{name} was defined by code that this cell does not hold")
            filename = f"<cumulus-{zlib.crc32(known.encode('utf-8', 'replace')):08x}>"
            line = _line(source, known)
            _remember(filename, known, 1)
        else:
            _remember(filename, source, line)
        for needed, slot in self._at_definition(reader, node).items():
            if reader.is_there(slot):
                reader.namespace[needed] = reader.value(slot)
        return _define(name, source, filename, line, reader.namespace)

    def fill(self, reader: Decoder, node: Mapping[str, Any], obj: Any) -> None:
        if "kinds" in node and _is_generic(obj):
            for cls, function in zip(reader.run(node["kinds"]), reader.run(node["does"])):
                obj.register(cls, function)
        if "k" not in node:
            return
        for name, value in zip(reader.run(node["k"]), reader.run(node["v"])):
            if isinstance(obj, type) and name.startswith("__"):
                raise ValueError(f"a class with the state {name!r}")
            if isinstance(obj, type) and name in vars(obj) and vars(obj)[name] is value:
                continue
            setattr(obj, name, value)

    def renew(self, reader: Decoder, node: Mapping[str, Any], old: Any) -> bool:
        return isinstance(old, (type, FunctionType)) and old.__name__ == node["name"]


def _define(name: str, source: str, filename: str, line: int, namespace: Dict[str, Any]) -> Any:
    """Runs a definition in the namespace, without binding it there."""
    try:
        if name == "<lambda>":
            code = compile("\n" * (line - 1) + f"({source})", filename, "eval", dont_inherit=True)
            return eval(code, namespace)
        code = compile("\n" * (line - 1) + source, filename, "exec", dont_inherit=True)
        made: Dict[str, Any] = {}
        exec(code, namespace, made)
        return made[name]
    except Exception as error:
        raise Unresolved(f"{name} could not be defined again: {type(error).__name__}: {error}") from error


def _line(source: str, known: str) -> int:
    position = known.find(source.strip())
    return 1 if position < 0 else known.count("\n", 0, position) + 1


def _remember(filename: str, source: str, line: int) -> None:
    """Shows a source to tracebacks and to ``inspect``, beside what the same file has already."""
    entry = linecache.cache.get(filename)
    if entry is not None and (len(entry) != 4 or entry[1] is not None):
        return  # a real file
    lines = list(entry[2]) if entry is not None and len(entry) == 4 else []
    new = source.splitlines(keepends=True)
    lines.extend(["\n"] * (line - 1 + len(new) - len(lines)))
    lines[line - 1 : line - 1 + len(new)] = new
    if not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    linecache.cache[filename] = (sum(map(len, lines)), None, lines, filename)


KINDS: Dict[str, Kind] = {"def": _Definition()}
