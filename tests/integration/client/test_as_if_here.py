"""Cells leave the same elsewhere as here: names, results, what is printed, errors.

``as_if_here.txt`` holds small notebooks: ``#: NAME`` begins one, ``#=`` a cell that always runs here, ``#>``
one that is run both ways.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

_CELLS = Path(__file__).with_name("as_if_here.txt")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")
_ATOMS = (type(None), bool, int, float, complex, str, bytes)


def _notebooks() -> dict[str, list[tuple[str, str]]]:
    """Name -> its cells, each with its mark."""
    found: dict[str, list[tuple[str, str]]] = {}
    for text in _CELLS.read_text(encoding="utf-8").split("#: ")[1:]:
        name, _, body = text.partition("\n")
        parts = re.split(r"^#([=>])\n", body, flags=re.MULTILINE)
        found[name] = list(zip(parts[1::2], parts[2::2], strict=True))
    return found


NOTEBOOKS = _notebooks()


class _Picture:
    """Text for a value in which two names of one object show as such; one for a whole namespace."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._kept: list[object] = []

    def of(self, value: Any) -> str:
        kind = type(value)
        if kind in _ATOMS:
            return repr(value)
        if kind is tuple or kind is frozenset:
            return f"{kind.__name__}({self._items(value)})"
        if isinstance(value, (type, FunctionType, ModuleType)):
            return self._definition(value)
        number = self._numbers.get(id(value))
        if number is not None:
            return f"<{number}>"
        number = self._numbers[id(value)] = len(self._numbers)
        self._kept.append(value)
        return f"{number}:{kind.__qualname__} {self._content(value)}"

    def _content(self, value: Any) -> str:
        kind = type(value)
        if isinstance(value, dict):
            pairs = dict.items(value)
            return "{" + ", ".join(f"{self.of(k)}: {self.of(v)}" for k, v in pairs) + "}" + self._state(value)
        if isinstance(value, (list, set)):
            return f"[{self._items(value)}]" + self._state(value)
        if kind.__name__ == "ndarray" and value.dtype.hasobject:
            return f"{value.shape} {self._items(value.ravel().tolist())}"
        if kind.__name__ in ("Series", "DataFrame") and hasattr(value, "attrs"):
            return f"{value.dtypes} {value.index!r} {value!r} {value.attrs}"
        if kind.__module__ == "__main__":
            return self._state(value) or _ADDRESS.sub("0x", repr(value))
        return _ADDRESS.sub("0x", repr(value))

    def _items(self, items: Any) -> str:
        ordered = sorted(items, key=repr) if isinstance(items, (set, frozenset)) else items
        return ", ".join(map(self.of, ordered))

    def _state(self, value: Any) -> str:
        state = {
            name: value for name, value in getattr(value, "__dict__", {}).items() if name != "__orig_class__"
        }
        return "".join(f" {name}={self.of(each)}" for name, each in state.items())

    def _definition(self, value: Any) -> str:
        if value.__name__ == "<lambda>" or getattr(value, "__module__", "") != "__main__":
            return f"{type(value).__name__} {value.__name__}"
        said = f"{type(value).__name__} {value.__qualname__} {value.__doc__!r}"
        if isinstance(value, FunctionType):
            return f"{said} {self.of(value.__defaults__)} {sorted(value.__annotations__)}"
        return f"{said} {[base.__qualname__ for base in value.__mro__]}"


def _left(shell: Any, name: str, magic: str, capsys: pytest.CaptureFixture[str]) -> list[Any]:
    """What a notebook leaves, cell by cell, and its names at the end."""
    before = {*shell.user_ns, "__warningregistry__", "__annotations__"}
    seen: list[Any] = []
    for mark, source in NOTEBOOKS[name]:
        done = shell.run_cell((magic if mark == ">" else "# here\n") + source, store_history=True)
        shown = capsys.readouterr()
        error = done.error_before_exec or done.error_in_exec
        if error is None:
            out = re.sub(r"^Out\[\d+\]", "Out", shown.out, flags=re.MULTILINE)
            seen.append((_Picture().of(done.result), _ADDRESS.sub("0x", out), shown.err))
        else:
            seen.append((type(error).__name__, str(error), error.args))
    picture = _Picture()
    own = sorted(name for name in shell.user_ns if name not in before and not re.match(r"_\d|_i", name))
    seen.append({name: picture.of(shell.user_ns[name]) for name in own})
    for each in own:
        del shell.user_ns[each]
    return seen


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_elsewhere_as_here(name: str, shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    here = _left(shell, name, "# here\n", capsys)
    assert _left(shell, name, "%%cumulus\n", capsys) == here
