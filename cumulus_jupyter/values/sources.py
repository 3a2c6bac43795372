"""Finding the source of what a notebook or script defined, and reading names out of source."""

from __future__ import annotations

import ast
import linecache
import sys
from functools import lru_cache
from textwrap import dedent
from types import CodeType, FunctionType
from typing import Any, FrozenSet, Iterator, List, Optional, Set, Tuple

from .model import Definition

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class SourceFinder:
    """Finds definitions through the lines that ``linecache`` has: of notebook cells and of scripts."""

    def find(self, obj: Any) -> Optional[Definition]:
        """The definition of a top-level function or class; ``None`` for closures and the unknown."""
        if isinstance(obj, type):
            return self._find_class(obj)
        for _ in range(32):
            if not hasattr(obj, "__wrapped__"):
                break
            obj = obj.__wrapped__
        if not isinstance(obj, FunctionType) or obj.__code__.co_freevars:
            return None
        code = obj.__code__
        source = "".join(linecache.getlines(code.co_filename))
        if code.co_name == "<lambda>":
            return _lambda(source, code)
        for node in top_level(source):
            if node.name == code.co_name and code.co_firstlineno in (_first_line(node), node.lineno):
                return definition(source, node, code.co_filename)
        return None

    def _find_class(self, cls: type) -> Optional[Definition]:
        if "." in cls.__qualname__:
            return None
        for filename, line in _class_files(cls):
            source = "".join(linecache.getlines(filename))
            found = [
                node
                for node in top_level(source)
                if isinstance(node, ast.ClassDef)
                and node.name == cls.__name__
                and (line is None or node.lineno <= line <= (node.end_lineno or line))
            ]
            if found:
                return definition(source, found[-1], filename)
        return None


def _class_files(cls: type) -> Iterator[Tuple[str, Optional[int]]]:
    """Where a class may have been written: the files of its methods, else any cell, newest first."""
    for value in list(vars(cls).values()):
        function = getattr(value, "__func__", getattr(value, "fget", value))
        code = getattr(function, "__code__", None)
        if isinstance(code, CodeType) and function.__qualname__ == f"{cls.__qualname__}.{code.co_name}":
            if not code.co_filename.startswith("<string>"):
                yield code.co_filename, code.co_firstlineno
    for filename in reversed(list(linecache.cache)):
        entry = linecache.cache.get(filename)
        # Entries without a time are no files: cells, and what was shipped.
        if entry is not None and len(entry) == 4 and entry[1] is None:
            yield filename, None
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    if script:
        yield script, None


@lru_cache(maxsize=64)
def _parse(source: str) -> Optional[ast.Module]:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def top_level(source: str) -> Iterator[Any]:
    """Function and class statements of the module's own level, also those below if, try and with."""
    tree = _parse(source)
    queue: List[ast.AST] = list(tree.body) if tree else []
    for node in queue:
        if isinstance(node, _DEFINITIONS):
            yield node
        elif isinstance(node, ast.stmt):
            queue.extend(child for child in ast.iter_child_nodes(node) if _holds_statements(child))


def _holds_statements(node: ast.AST) -> bool:
    return isinstance(node, (ast.stmt, ast.ExceptHandler))


def _first_line(node: Any) -> int:
    return int(min([node.lineno] + [decorator.lineno for decorator in node.decorator_list]))


def definition(source: str, node: Any, filename: str) -> Definition:
    """The ``Definition`` of a function or class statement of ``source``."""
    first = _first_line(node)
    text = dedent("".join(source.splitlines(keepends=True)[first - 1 : node.end_lineno]))
    needs, calls = names_read(text)
    return Definition(node.name, text, filename, first, needs, calls)


def _lambda(source: str, code: CodeType) -> Optional[Definition]:
    tree = _parse(source)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Lambda) and node.lineno == code.co_firstlineno:
            text = ast.get_source_segment(source, node) or ""
            try:
                made = compile(f"({text})", code.co_filename, "eval", dont_inherit=True)
            except SyntaxError:
                continue
            inner = next((const for const in made.co_consts if isinstance(const, CodeType)), None)
            if inner and (inner.co_code, inner.co_names) == (code.co_code, code.co_names):
                if _plain(inner.co_consts) == _plain(code.co_consts):
                    needs, calls = names_read(f"({text})")
                    return Definition("<lambda>", text, code.co_filename, node.lineno, needs, calls)
    return None


def _plain(consts: Any) -> List[str]:
    return [const.co_name if isinstance(const, CodeType) else repr(const) for const in consts]


def names_read(source: str) -> Tuple[Tuple[str, ...], Tuple[str, ...]]:
    """Global names that source reads: when it runs, and when what it defines is called."""
    import symtable

    needs: set[str] = set()
    calls: set[str] = set()
    queue = [(symtable.symtable(source, "<definition>", "exec"), False)]
    for table, called in queue:
        deferred = called or (
            table.get_type() == "function" and table.get_name() not in ("listcomp", "setcomp", "dictcomp")
        )
        for symbol in table.get_symbols():
            module_level = table.get_type() == "module" or (
                table.get_type() == "class" and not symbol.is_free() and not deferred
            )
            if symbol.is_declared_global() or symbol.is_referenced() and (symbol.is_global() or module_level):
                (calls if deferred else needs).add(symbol.get_name())
        queue.extend((child, deferred) for child in table.get_children())
    return tuple(sorted(needs)), tuple(sorted(calls))


@lru_cache(maxsize=16)
def _known(source: str) -> FrozenSet[str]:
    tree = _parse(source)
    kinds = (*_DEFINITIONS, ast.Lambda)
    return frozenset(ast.dump(node) for node in ast.walk(tree or ast.Pass()) if isinstance(node, kinds))


def is_known(definition_source: str, name: str, known_source: str) -> bool:
    """Whether the very same definition stands somewhere in ``known_source``."""
    if not known_source:
        return False
    tree = _parse(f"({definition_source})" if name == "<lambda>" else definition_source)
    if tree is None or len(tree.body) != 1:
        return False
    statement: Any = tree.body[0]
    return ast.dump(statement.value if isinstance(statement, ast.Expr) else statement) in _known(known_source)


def imported_modules(source: str) -> FrozenSet[str]:
    """Modules that source imports, by dotted name; what it imports from one may be a module too."""
    tree = _parse(source)
    found: Set[str] = set()
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.update([node.module, *(f"{node.module}.{alias.name}" for alias in node.names)])
    return frozenset(found)


def imported_packages(source: str) -> FrozenSet[str]:
    """Top-level packages that source imports."""
    return frozenset(name.partition(".")[0] for name in imported_modules(source))
