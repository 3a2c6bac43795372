"""The statement or lambda that made a function or class, and its text."""

from __future__ import annotations
import __future__

import ast
from collections.abc import Iterable, Iterator
from types import FunctionType
from typing import Any

from .code_match import function_matches, is_generated, lambda_matches, plain_function
from .scopes import FUNCTIONS

#: What a cell writes so that annotations are not evaluated; later cells of the shell inherit it.
LAZY = "from __future__ import annotations"
LAZY_FLAG = __future__.annotations.compiler_flag


def top_level(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run in the module's own scope."""
    for statement in body:
        yield statement
        if not isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
            for field in ("body", "orelse", "finalbody", "handlers", "cases"):
                for inner in getattr(statement, field, ()):
                    yield from top_level(inner.body if not isinstance(inner, ast.stmt) else [inner])


def node_of(function: FunctionType, tree: ast.Module) -> ast.AST | None:
    code = function.__code__
    if code.co_name == "<lambda>":
        found = None
        for node in ast.walk(tree):
            if isinstance(node, ast.Lambda) and node.lineno == code.co_firstlineno:
                if lambda_matches(function, node, tree):
                    found = node  # the innermost comes last
        return found
    for node in top_level(tree.body):
        if isinstance(node, FUNCTIONS) and node.name == code.co_name:
            if lines_of(node, False)[0] == code.co_firstlineno and function_matches(function, node, tree):
                return node
    return None


def lines_of(node: Any, bare: bool) -> tuple[int, int]:
    first = node.lineno
    if not bare:
        first = min([first, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))])
    return first, node.end_lineno


def class_flags(cls: type, text: str) -> int:
    """The future flags that a class's statement was compiled under, as far as its methods or cell tell."""
    for member in vars(cls).values():
        function = plain_function(member)
        if function is not None and not is_generated(function):
            return function.__code__.co_flags
    return LAZY_FLAG if LAZY in text else 0


def has_annotations(node: ast.AST) -> bool:
    return any(
        isinstance(each, ast.AnnAssign) or getattr(each, "annotation", None) or getattr(each, "returns", None)
        for each in ast.walk(node)
    )


def lambda_text(source: str, node: ast.Lambda) -> str:
    text = ast.get_source_segment(source, node) or ""
    return ast.unparse(node) if "\n" in text or not text else text
