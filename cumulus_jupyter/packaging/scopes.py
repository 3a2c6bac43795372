"""Which names a scope binds: the part of Python's scoping that is known before anything runs."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Comprehension: TypeAlias = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

MODULE, CLASS, FUNCTION, COMPREHENSION = "module", "class", "function", "comprehension"


@dataclass(eq=False)
class Scope:
    """One scope on the way down from the module."""

    kind: str
    #: Names local to it. A class's are found while it is walked, since its body runs in order.
    bound: set[str] = field(default_factory=set)
    #: Names it declares global.
    globals: set[str] = field(default_factory=set)


def function_scope(arguments: ast.arguments, body: Iterable[ast.AST]) -> Scope:
    """The scope of a function or lambda: its parameters, and what its body binds."""
    scope = Scope(FUNCTION, bound=set(parameter_names(arguments)))
    nonlocals: set[str] = set()
    for node in body:
        for name in _bindings(node, scope.globals, nonlocals):
            scope.bound.add(name)
    scope.bound -= scope.globals | nonlocals
    return scope


def class_declarations(body: Iterable[ast.AST]) -> set[str]:
    """Names that a class body declares global."""
    declared: set[str] = set()
    for node in body:
        for _ in _bindings(node, declared, set()):
            pass
    return declared


def parameter_names(arguments: ast.arguments) -> Iterator[str]:
    """Every parameter of a signature."""
    for group in (arguments.posonlyargs, arguments.args, arguments.kwonlyargs):
        for argument in group:
            yield argument.arg
    for star in (arguments.vararg, arguments.kwarg):
        if star is not None:
            yield star.arg


def import_binding(alias: ast.alias) -> str:
    """The name that ``import a.b`` (``a``) or ``import a.b as c`` (``c``) binds."""
    return alias.asname or alias.name.partition(".")[0]


def target_names(target: ast.AST) -> Iterator[str]:
    """Names a comprehension's ``for`` target binds."""
    for node in ast.walk(target):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _bindings(root: ast.AST, declared: set[str], nonlocals: set[str]) -> Iterator[str]:
    """Names bound in the scope that ``root`` is a statement (or expression) of."""
    stack: list[tuple[ast.AST, bool]] = [(root, False)]
    while stack:
        node, inside_comprehension = stack.pop()
        if isinstance(node, ast.Name):
            if not inside_comprehension and not isinstance(node.ctx, ast.Load):
                yield node.id
            continue
        if isinstance(node, ast.NamedExpr):
            yield node.target.id
            stack.append((node.value, inside_comprehension))
            continue
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield node.name
            stack.extend((child, False) for child in node.decorator_list)
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                yield import_binding(alias)
            continue
        if isinstance(node, ast.Global):
            declared.update(node.names)
            continue
        if isinstance(node, ast.Nonlocal):
            nonlocals.update(node.names)
            continue
        if isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            yield node.name
        if isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest
        deeper = inside_comprehension or isinstance(node, COMPREHENSIONS)
        stack.extend((child, deeper) for child in ast.iter_child_nodes(node))
