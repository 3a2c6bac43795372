"""Reads expressions: loads, stores, and everything that has a scope of its own inside them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from . import shell_syntax
from .findings import READ, SOFT
from .name_account import NameAccount
from .scopes import COMPREHENSION, Comprehension, Scope, target_names

#: Calls that can make or look at any name.
_ANYTHING = frozenset({"exec", "globals", "locals", "vars", "setattr"})
#: The shell's record of results.
_RESULTS = frozenset({"Out", "_oh"})
_EVALUATES = frozenset({"eval", "exec"})


class ExpressionReader(NameAccount):
    """Walks expressions; ``reader.StatementReader`` adds the statements."""

    def visit(self, node: ast.AST) -> None:
        """Read one node."""
        visitor: Callable[[Any], None] = getattr(self, f"visit_{type(node).__name__}", self.visit_children)
        visitor(node)

    def visit_children(self, node: ast.AST) -> None:
        """Read what a node consists of, in the order of its fields."""
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, ast.AST):
                self.visit(value)
            elif isinstance(value, list):
                for item in value:
                    if isinstance(item, ast.AST):
                        self.visit(item)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Nothing to find."""

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.load(node.id)
        elif isinstance(node.ctx, ast.Store):
            self.store(node.id)
        else:
            self.delete(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        path = []
        base: ast.expr = node
        while isinstance(base, ast.Attribute):
            path.append(base.attr)
            base = base.value
        if isinstance(base, ast.Name) and self._is_global(base.id):
            self.findings.attributes.setdefault(base.id, set()).add(".".join(reversed(path)))
        self.visit(base)

    def signature(self, arguments: ast.arguments) -> None:
        """Read what runs when a function is defined."""
        raise NotImplementedError

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.signature(node.args)
        self.function_body(node)

    @contextmanager
    def type_parameters(self, node: ast.AST) -> Iterator[None]:
        """Names of ``def f[T]`` are local to the definition."""
        parameters = getattr(node, "type_params", None)
        if not parameters:
            yield
            return
        self.scopes.append(Scope(COMPREHENSION, bound={parameter.name for parameter in parameters}))
        try:
            grade, self.grade = self.grade, SOFT
            for parameter in parameters:
                self.visit_children(parameter)
            self.grade = grade
            yield
        finally:
            self.scopes.pop()

    # --- expressions with an order or a scope of their own ---------------------------------------

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self.store(node.target.id, skip_comprehensions=True)

    def _perhaps(self, *nodes: ast.AST) -> set[object]:
        """Read expressions that may be skipped; what they assign if they are not."""
        start, grade = set(self.done), self.grade
        self.grade = min(grade, READ)
        for node in nodes:
            self.visit(node)
        end, self.done, self.grade = self.done, start, grade
        return end

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self.visit(node.values[0])
        self._perhaps(*node.values[1:])

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.visit(node.test)
        self.done = self._perhaps(node.body) & self._perhaps(node.orelse)

    def visit_Assert(self, node: ast.Assert) -> None:
        self.visit(node.test)
        if node.msg is not None:
            self._perhaps(node.msg)

    def _comprehension(self, node: Comprehension) -> None:
        first = node.generators[0]
        self.visit(first.iter)
        start = set(self.done)
        bound = {name for generator in node.generators for name in target_names(generator.target)}
        self.scopes.append(Scope(COMPREHENSION, bound=bound))
        try:
            for generator in node.generators:
                if generator is not first:
                    self.visit(generator.iter)
                self.visit(generator.target)
                for condition in generator.ifs:
                    self.visit(condition)
            if isinstance(node, ast.DictComp):
                self.visit(node.key)
                self.visit(node.value)
            else:
                self.visit(node.elt)
        finally:
            self.scopes.pop()
        self.done = start

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    # --- calls that mean more than they say --------------------------------------------------------

    def visit_Call(self, node: ast.Call) -> None:
        magic = shell_syntax.magic_call(node)
        if magic is not None:
            shell_syntax.read_magic(self, *magic)
            return
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in _ANYTHING and isinstance(node.func, ast.Name):
            self.findings.opaque = self.findings.opaque or f"{name}()"
        text = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
        if isinstance(text, str):
            if name in _EVALUATES or name == "query":
                shell_syntax.read_text(self, text)
            elif name in ("import_module", "__import__"):
                self.findings.imports[text] = None
        self.visit_children(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        """``globals()["x"]`` is ``x``; ``Out[3]`` is one result."""
        call, key = node.value, node.slice
        if isinstance(call, ast.Name) and call.id in _RESULTS and isinstance(key, ast.Constant):
            if type(key.value) is int and self._is_global(call.id) and call.id not in self.done:
                self.findings.results.setdefault(call.id, set()).add(key.value)
                return
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id == "globals"
            and isinstance(key, ast.Constant)
            and isinstance(key.value, str)
        ):
            if isinstance(node.ctx, ast.Load):
                self.load_global(key.value, min(self.grade, READ))
            else:
                self.findings.globals[key.value] = None
        self.visit_children(node)
