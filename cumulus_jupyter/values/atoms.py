"""Immutable leaves that stand inline in the graph.

``None``, ``bool``, ``str``, finite ``float`` and ``int`` below 2**53 stand for themselves; all other
atoms are a list of two or more: a tag, and JSON parts. (A list of one is a reference to a node.)
"""

from __future__ import annotations

import math
import sys
from base64 import b64decode, b64encode
from importlib import import_module
from typing import Any, Callable, Dict, List

from ..protocol.errors import InvalidArgument

#: Returned by an atom encoder for a value that is better off as a node.
AS_NODE: Any = object()
#: Longest text and bytes that stand inline.
INLINE_STR_CHARS = 2048
INLINE_BYTES = 512

_INT_LIMIT = 2**53


def _same(obj: Any) -> Any:
    return obj


def _int(obj: int) -> Any:
    return obj if -_INT_LIMIT < obj < _INT_LIMIT else ["int", hex(obj)]


def _float(obj: float) -> Any:
    return obj if math.isfinite(obj) else ["float", repr(obj)]


def _str(obj: str) -> Any:
    if obj.isascii():
        return obj if len(obj) <= INLINE_STR_CHARS else AS_NODE
    if len(obj) > INLINE_STR_CHARS:
        return AS_NODE
    try:
        obj.encode("utf-8")
    except UnicodeEncodeError:
        return ["str", b64encode(obj.encode("utf-8", "surrogatepass")).decode()]
    return obj


def _bytes(obj: bytes) -> Any:
    return ["bytes", b64encode(obj).decode()] if len(obj) <= INLINE_BYTES else AS_NODE


def _complex(obj: complex) -> Any:
    return ["complex", repr(obj.real), repr(obj.imag)]


def _range(obj: range) -> Any:
    return ["range", hex(obj.start), hex(obj.stop), hex(obj.step)]


def _const(obj: object) -> Any:
    return ["const", repr(obj)]


#: Exact type -> encoder, for types that need no import.
INLINE: Dict[type, Callable[[Any], Any]] = {
    type(None): _same,
    bool: _same,
    int: _int,
    float: _float,
    str: _str,
    bytes: _bytes,
    complex: _complex,
    range: _range,
    type(Ellipsis): _const,
    type(NotImplemented): _const,
}


# Types of modules that may not be loaded: an object of them can only exist if its module is.
def tz_parts(tz: Any) -> Any:
    """JSON for a time zone; ``AS_NODE`` for one that has no plain form."""
    import datetime as dt

    if tz is None:
        return None
    if type(tz) is dt.timezone:
        # Documented for pickling, and missing in the type checkers' stubs.
        args = tz.__getinitargs__()  # type: ignore[attr-defined]
        offset = args[0]
        return ["offset", offset.days, offset.seconds, offset.microseconds, *args[1:]]
    if type(tz).__module__ == "zoneinfo" and getattr(tz, "key", None):
        return ["zone", tz.key]
    return AS_NODE


def _date(obj: Any) -> Any:
    return ["date", obj.year, obj.month, obj.day]


def _clock(obj: Any) -> List[int]:
    return [obj.hour, obj.minute, obj.second, obj.microsecond, obj.fold]


def _time(obj: Any) -> Any:
    tz = tz_parts(obj.tzinfo)
    return AS_NODE if tz is AS_NODE else ["time", tz, *_clock(obj)]


def _datetime(obj: Any) -> Any:
    tz = tz_parts(obj.tzinfo)
    return AS_NODE if tz is AS_NODE else ["datetime", tz, obj.year, obj.month, obj.day, *_clock(obj)]


def _timedelta(obj: Any) -> Any:
    return ["timedelta", obj.days, obj.seconds, obj.microseconds]


def _tz_atom(obj: Any) -> Any:
    tz = tz_parts(obj)
    return AS_NODE if tz is AS_NODE else ["tz", tz]


def _decimal(obj: Any) -> Any:
    return ["decimal", str(obj)]


def _fraction(obj: Any) -> Any:
    return ["fraction", hex(obj.numerator), hex(obj.denominator)]


def _uuid(obj: Any) -> Any:
    return ["uuid", obj.hex]


def _path(obj: Any) -> Any:
    name = type(obj).__name__
    return ["path", name if name.startswith("Pure") else "Path", *_path_text(str(obj))]


def _path_text(text: str) -> List[Any]:
    return [_str(text)] if len(text) <= INLINE_STR_CHARS else [text]


#: (module, class name) -> encoder. Looked up once per type, then kept in INLINE.
_BY_NAME: Dict[str, Callable[[Any], Any]] = {
    "datetime.date": _date,
    "datetime.time": _time,
    "datetime.datetime": _datetime,
    "datetime.timedelta": _timedelta,
    "datetime.timezone": _tz_atom,
    "zoneinfo.ZoneInfo": _tz_atom,
    "decimal.Decimal": _decimal,
    "fractions.Fraction": _fraction,
    "uuid.UUID": _uuid,
}
_PATHS = ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
for _name in _PATHS:
    # Python 3.13 keeps the classes in a private submodule.
    _BY_NAME["pathlib." + _name] = _BY_NAME["pathlib._local." + _name] = _path


def find_inline(cls: type) -> Any:
    """The atom encoder of a type, or ``None``; remembers what it found."""
    encoder = INLINE.get(cls)
    if encoder is None:
        name = f"{cls.__module__}.{cls.__qualname__}"
        encoder = _BY_NAME.get(name)
        if encoder is not None:
            # The name alone could be anybody's: it must be the module's own class.
            if getattr(sys.modules.get(cls.__module__), cls.__qualname__, None) is not cls:
                return None
            INLINE[cls] = encoder
    return encoder


def _read_tz(tz: Any) -> Any:
    if tz is None:
        return None
    import datetime as dt

    if tz[0] == "offset":
        return dt.timezone(dt.timedelta(*tz[1:4]), *tz[4:5]) if any(tz[1:4]) or tz[4:] else dt.timezone.utc
    if tz[0] == "zone":
        from zoneinfo import ZoneInfo

        return ZoneInfo(tz[1])
    raise ValueError(f"unknown time zone {tz[0]!r}")


def _read_datetime(tz: Any, *parts: int) -> Any:
    import datetime as dt

    year, month, day, hour, minute, second, microsecond, fold = parts
    return dt.datetime(year, month, day, hour, minute, second, microsecond, _read_tz(tz), fold=fold)


def _read_time(tz: Any, *parts: int) -> Any:
    import datetime as dt

    hour, minute, second, microsecond, fold = parts
    return dt.time(hour, minute, second, microsecond, _read_tz(tz), fold=fold)


def _read_date(*parts: int) -> Any:
    import datetime as dt

    return dt.date(*parts)


def _read_timedelta(*parts: int) -> Any:
    import datetime as dt

    return dt.timedelta(*parts)


def _read_decimal(text: str) -> Any:
    from decimal import Decimal

    return Decimal(text)


def _read_fraction(numerator: str, denominator: str) -> Any:
    from fractions import Fraction

    return Fraction(int(numerator, 16), int(denominator, 16))


def _read_uuid(text: str) -> Any:
    from uuid import UUID

    return UUID(hex=text)


def _read_path(name: str, text: Any) -> Any:
    import pathlib

    if name not in ("Path", "PurePosixPath", "PureWindowsPath"):
        raise ValueError(f"unknown path type {name!r}")
    return getattr(pathlib, name)(read_atom(text) if isinstance(text, list) else text)


def _read_str(text: str) -> str:
    return b64decode(text, validate=True).decode("utf-8", "surrogatepass")


_CONSTS = {"Ellipsis": Ellipsis, "NotImplemented": NotImplemented}

_READERS: Dict[str, Callable[..., Any]] = {
    "int": lambda text: int(text, 16),
    "float": lambda text: {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[text],
    "str": _read_str,
    "bytes": lambda text: b64decode(text, validate=True),
    "complex": lambda real, imag: complex(float(real), float(imag)),
    "range": lambda *parts: range(*(int(part, 16) for part in parts)),
    "const": lambda name: _CONSTS[name],
    "date": _read_date,
    "time": _read_time,
    "datetime": _read_datetime,
    "timedelta": _read_timedelta,
    "tz": _read_tz,
    "decimal": _read_decimal,
    "fraction": _read_fraction,
    "uuid": _read_uuid,
    "path": _read_path,
}


def read_atom(parts: List[Any]) -> Any:
    """The object an inline atom stands for. Raises ``InvalidArgument``."""
    try:
        reader = _READERS.get(parts[0])
        if reader is None:
            home = {"np": ".arrays", "pd": ".frames"}[parts[0]]
            reader = import_module(home, __package__).read_scalar
        return reader(*parts[1:])
    except Exception as error:
        raise InvalidArgument(f"The value graph holds a bad atom: {str(parts)[:80]} ({error})") from error
