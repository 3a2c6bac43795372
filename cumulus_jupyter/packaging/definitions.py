"""Finds the source of functions and classes that a notebook or a script defined.

Sources come from ``linecache`` (where IPython keeps every cell it compiled), and for classes that
name no file from the shell's history. Source is used only if compiling it gives the object's own
code again.
"""

from __future__ import annotations

import ast
import builtins
import linecache
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from .code_match import class_matches, is_generated, plain_function
from .definition_nodes import (
    LAZY,
    LAZY_FLAG,
    class_flags,
    has_annotations,
    lambda_text,
    lines_of,
    node_of,
    top_level,
)
from .findings import Findings
from .reader import StatementReader

if TYPE_CHECKING:
    from ..values.model import Definition

_MAIN = "__main__"
#: Where ``@remote`` lives.
_REMOTE = "cumulus_jupyter.remote_function"


@dataclass(frozen=True, eq=False)
class FoundDefinition:
    """A definition, and what its source touches when it is run and when it is called."""

    definition: Definition
    at_definition: Findings
    at_call: tuple[Findings, ...]


@dataclass(frozen=True, eq=False)
class _Source:
    text: str
    lines: list[str]
    tree: ast.Module


class NotebookDefinitions:
    """The ``values.DefinitionSource`` of a notebook or script; one per shell, it keeps what it parsed."""

    def __init__(
        self, history: Callable[[], Iterable[str]] | None = None, title: Callable[[str], str] = str
    ) -> None:
        #: What tracebacks call the file of a code object.
        self._title = title
        #: Gives the cells run so far, as plain Python, oldest first.
        self._history = history
        self._sources: dict[str, _Source] = {}
        self._by_code: dict[int, tuple[CodeType, ast.AST, str]] = {}
        self._made: dict[tuple[str, int, int], FoundDefinition] = {}
        #: Where names are looked up, to tell a decorated function from the one inside it.
        self.namespace: Mapping[str, Any] = {}
        #: What ``find`` has found since ``begin``.
        self.found: list[FoundDefinition] = []

    def begin(self, namespace: Mapping[str, Any]) -> None:
        """Start one packaging: from here on ``found`` collects."""
        self.namespace = namespace
        self.found = []

    def find(self, obj: object) -> Definition | None:
        """``values.DefinitionSource.find``."""
        found = self.look_up(obj)
        if found is None:
            return None
        if found not in self.found:
            self.found.append(found)
        return found.definition

    def look_up(self, obj: object) -> FoundDefinition | None:
        """The definition of a function, class or decorated function; ``None`` where it is not known."""
        try:
            if isinstance(obj, type):
                return self._find_class(obj)
            if type(obj).__module__ == _REMOTE:
                # There the call runs where it is.
                obj = getattr(obj, "local", obj)
            if isinstance(obj, FunctionType) and obj.__module__ == _MAIN:
                return self._find_function(obj)
            return self._find_wrapped(obj) if callable(obj) else None
        except Exception:  # an object of the user's that does not like to be looked at
            return None

    # --- functions ----------------------------------------------------------------------------

    def _find_function(self, function: FunctionType) -> FoundDefinition | None:
        if hasattr(function, "__wrapped__"):
            return self._find_wrapped(function)
        placed = self._place(function)
        if placed is None:
            return None
        node, name = placed
        source = self._sources[name]
        if isinstance(node, ast.Lambda):
            return self._make(source, name, node, 0)
        decorated = bool(getattr(node, "decorator_list", ()))
        is_bound = self.namespace.get(function.__name__) is function
        flags = function.__code__.co_flags
        return self._make(source, name, node, flags, bare=decorated and not is_bound)

    def _find_wrapped(self, obj: Any) -> FoundDefinition | None:
        """What a decorator made, such as ``functools.lru_cache``: its source is the decorated statement."""
        name = getattr(obj, "__name__", None)
        inner: Any = obj
        for _ in range(16):
            following = getattr(inner, "__wrapped__", None) or getattr(inner, "py_func", None)
            if following is None:
                break
            inner = following
        if inner is obj or not isinstance(inner, FunctionType) or inner.__module__ != _MAIN:
            return None
        if not isinstance(name, str) or self.namespace.get(name) is not obj:
            return None
        placed = self._place(inner)
        if placed is None or not getattr(placed[0], "decorator_list", ()):
            return None
        return self._make(self._sources[placed[1]], placed[1], placed[0], inner.__code__.co_flags)

    def _place(self, function: FunctionType) -> tuple[ast.AST, str] | None:
        """The statement or lambda that made a function, and the name of its source."""
        code = function.__code__
        if code.co_freevars:
            return None
        known = self._by_code.get(id(code))
        if known is not None and known[0] is code:
            return known[1], known[2]
        name = code.co_filename
        source = self._source(name)
        if source is None:
            return None
        node = node_of(function, source.tree)
        if node is None:
            return None
        if len(self._by_code) > 4096:
            self._by_code.clear()
        self._by_code[id(code)] = (code, node, name)
        return node, name

    # --- classes ------------------------------------------------------------------------------

    def _find_class(self, cls: type) -> FoundDefinition | None:
        if cls.__module__ != _MAIN or "." in cls.__qualname__:
            return None
        for name, source in self._sources_of(cls):
            for node in reversed(list(top_level(source.tree.body))):
                if (
                    isinstance(node, ast.ClassDef)
                    and node.name == cls.__name__
                    and class_matches(cls, node, source.tree)
                ):
                    return self._make(source, name, node, class_flags(cls, source.text))
        return None

    def _sources_of(self, cls: type) -> Iterator[tuple[str, _Source]]:
        names: dict[str, None] = {}
        for member in vars(cls).values():
            function = plain_function(member)
            if function is not None and not is_generated(function):
                names[function.__code__.co_filename] = None
        for name in names:
            source = self._source(name)
            if source is not None:
                yield name, source
        if names:
            return
        cells = list(self._history()) if self._history is not None else []
        for number in range(len(cells) - 1, -1, -1):
            if f"class {cls.__name__}" in cells[number]:
                source = self._parse(f"<Cell In[{number}]>", cells[number])
                if source is not None:
                    yield f"<Cell In[{number}]>", source
        script = getattr(sys.modules.get(_MAIN), "__file__", None)
        if isinstance(script, str):
            source = self._source(script)
            if source is not None:
                yield script, source

    # --- sources ------------------------------------------------------------------------------

    def _source(self, name: str) -> _Source | None:
        lines = linecache.getlines(name)
        return self._parse(name, "".join(lines)) if lines else None

    def _parse(self, name: str, text: str) -> _Source | None:
        known = self._sources.get(name)
        if known is not None and known.text == text:
            return known
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            return None
        source = _Source(text, [line + "\n" for line in text.split("\n")], tree)
        self._sources[name] = source
        return source

    def _make(
        self, source: _Source, name: str, node: ast.AST, flags: int, *, bare: bool = False
    ) -> FoundDefinition:
        from ..values.model import Definition

        lazy = bool(flags & LAZY_FLAG)
        key = (name, id(node), bare)
        made = self._made.get(key)
        if made is not None and self._sources.get(name) is source:
            return made
        reader = StatementReader(definitions_only=True, lazy_annotations=lazy)
        first, last = lines_of(node, bare)
        if isinstance(node, ast.Lambda):
            text, bound = lambda_text(source.text, node), "<lambda>"
            reader.signature(node.args)
            reader.defer(bound, node)
        else:
            text, bound = textwrap.dedent("".join(source.lines[first - 1 : last])), getattr(node, "name", "")
            plain = ast.parse(text).body[0] if bare else node
            reader.visit(plain)
        if lazy and has_annotations(node):
            text = f"{LAZY}\n{text}"
            first = max(1, first - 1)
        at_call = tuple(body for bodies in reader.deferred.values() for body in bodies)
        definition = Definition(
            name=bound,
            source=text,
            filename=self._title(name),
            first_line=first,
            needs=tuple(self._names([reader.findings], bound)),
            calls=tuple(self._names(at_call, "")),
        )
        made = FoundDefinition(definition, reader.findings, at_call)
        self._made[key] = made
        return made

    def _names(self, findings: Iterable[Findings], but: str) -> dict[str, None]:
        names: dict[str, None] = {}
        for each in findings:
            for name in each.reads:
                if name != but and (name in self.namespace or not hasattr(builtins, name)):
                    names[name] = None
        return names
