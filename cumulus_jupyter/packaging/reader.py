"""Reads statements in the order in which they run, and finds the global names they touch.

Scoping is Python's own. On top of it stands a simple account of what is certainly assigned at
each point, so that ``x = 1; print(x)`` does not read an older ``x``, and of functions: what a
function of the cell reads counts where the function is first mentioned after its definition.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Optional

from .expressions import ExpressionReader
from .findings import CERTAIN, READ, SOFT, Findings
from .scopes import CLASS, FUNCTION, FunctionNode, Scope, class_declarations, function_scope, import_binding

_CATCHES_NAME_ERROR = frozenset({"NameError", "Exception", "BaseException", "StandardError"})
_SUPPRESSORS = frozenset({"suppress", "raises", "assertRaises", "assertRaisesRegex"})


class StatementReader(ExpressionReader):
    """Walks the statements of one module or cell."""

    def run(self, body: Sequence[ast.stmt]) -> Findings:
        """Read the whole module and return what was found."""
        self.body(body)
        if self.findings.opaque:
            for name in list(self.deferred):
                self.apply_deferred(name)
        self.findings.assigned = frozenset(name for name in self.done if isinstance(name, str))
        return self.findings

    def body(self, statements: Iterable[ast.AST]) -> None:
        """Read statements, one after another."""
        for statement in statements:
            self.visit(statement)

    # --- branches -----------------------------------------------------------------------------

    @contextmanager
    def graded(self, grade: int) -> Iterator[None]:
        """Reads inside count for at most ``grade``."""
        before, self.grade = self.grade, min(self.grade, grade)
        try:
            yield
        finally:
            self.grade = before

    def branch(self, statements: Iterable[ast.AST], start: set[object]) -> Optional[set[object]]:
        """Read a branch that begins with ``start``; what it assigns, or None if it never ends."""
        self.done, self.dead = set(start), False
        self.body(statements)
        end = None if self.dead else self.done
        self.dead = False
        return end

    def join(self, ends: Sequence[Optional[set[object]]], start: set[object]) -> None:
        """Go on after branches: assigned is what all of those assign that come to their end."""
        live = [end for end in ends if end is not None]
        self.done = set.intersection(*live) if live else set(start)
        self.dead = not live

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        start = self.done
        with self.graded(READ):
            ends = [self.branch(node.body, start), self.branch(node.orelse, start)]
        self.join(ends, start)

    def _loop(self, body: Sequence[ast.stmt], orelse: Sequence[ast.stmt], start: set[object]) -> set[object]:
        """Read a loop; returns what is assigned if its body runs at least once, to its end."""
        end = self.branch(body, self.done)
        self.branch(orelse, start)
        left_early = any(isinstance(node, (ast.Break, ast.Continue)) for each in body for node in ast.walk(each))
        return start if end is None or left_early else end

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        start = set(self.done)
        self.visit(node.target)
        once = set(self.done)
        end = self._loop(node.body, node.orelse, start)
        self.done = (once | end) if _runs_at_least_once(node.iter) else start

    visit_AsyncFor = visit_For

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        start = set(self.done)
        endless = isinstance(node.test, ast.Constant) and bool(node.test.value)
        with self.graded(CERTAIN if endless else READ):
            self._loop(node.body, node.orelse, start)
        self.done = start

    def visit_Try(self, node: ast.Try) -> None:
        start = set(self.done)
        with self.graded(READ if _catches_name_error(node) else CERTAIN):
            end = self.branch([*node.body, *node.orelse], start)
        ends = [end]
        with self.graded(READ):
            for handler in node.handlers:
                ends.append(self.branch([handler], start))
        if not node.finalbody:
            self.join(ends, start)
            return
        last = self.branch(node.finalbody, start)
        self.join(ends, start)
        if last is None:
            self.dead = True
        else:
            self.done |= last

    visit_TryStar = visit_Try

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.type is not None:
            self.visit(node.type)
        if node.name:
            self.store(node.name)
        self.body(node.body)
        if node.name:
            self.unbind(node.name)

    def visit_With(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self.visit(item)
        start = set(self.done)
        self.body(node.body)
        if any(_suppresses(item.context_expr) for item in node.items):
            self.done, self.dead = start, False

    visit_AsyncWith = visit_With

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        start = set(self.done)
        ends: list[Optional[set[object]]] = []
        irrefutable = False
        with self.graded(READ):
            for case in node.cases:
                parts = [case.pattern, *([case.guard] if case.guard else []), *case.body]
                ends.append(self.branch(parts, start))
                irrefutable = case.guard is None and _always_matches(case.pattern)
        self.join(ends if irrefutable else [*ends, start], start)

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:
        self.visit_children(node)
        if node.name:
            self.store(node.name)

    visit_MatchStar = visit_MatchAs

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.visit_children(node)
        if node.rest:
            self.store(node.rest)

    def _leave(self, node: ast.AST) -> None:
        self.visit_children(node)
        self.dead = True

    visit_Raise = visit_Return = visit_Break = visit_Continue = _leave

    # --- simple statements ---------------------------------------------------------------------

    def visit_Assign(self, node: ast.Assign) -> None:
        target = node.targets[0]
        if isinstance(node.value, ast.Lambda) and isinstance(target, ast.Name) and len(node.targets) == 1:
            self.signature(node.value.args)
            if not self.in_function and not self.class_names:
                self.defer(target.id, node.value)
                self.store(target.id)
                return
            self.function_body(node.value)
            self.visit(target)
            return
        self.visit(node.value)
        for each in node.targets:
            self.visit(each)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.load(node.target.id)
        self.visit(node.value)
        self.visit(node.target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if self.scopes[-1].kind != FUNCTION:
            self.annotation(node.annotation)
        if node.value is not None:
            self.visit(node.value)
            self.visit(node.target)
        elif not isinstance(node.target, ast.Name):
            self.visit(node.target)

    def annotation(self, node: Optional[ast.AST]) -> None:
        """Read an annotation, which may or may not be evaluated."""
        if node is not None:
            with self.graded(SOFT if self.lazy_annotations else READ):
                self.visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.findings.imports[alias.name] = None
            self.store(import_binding(alias))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module == "__future__":
            self.lazy_annotations |= any(alias.name == "annotations" for alias in node.names)
        base = "." * node.level + (node.module or "")
        self.findings.imports[base] = None
        for alias in node.names:
            if alias.name == "*":
                self.findings.opaque = self.findings.opaque or f"from {base} import *"
                continue
            self.findings.imports[base + ("" if base.endswith(".") else ".") + alias.name] = None
            self.store(alias.asname or alias.name)

    def visit_Global(self, node: ast.Global | ast.Nonlocal) -> None:
        """Declarations were taken in when the scope was entered."""

    visit_Nonlocal = visit_Global

    # --- definitions ---------------------------------------------------------------------------

    def visit_FunctionDef(self, node: FunctionNode) -> None:
        with self.type_parameters(node):
            self.signature(node.args)
            self.annotation(node.returns)
        for decorator in node.decorator_list:
            self.visit(decorator)
        self.define(node)
        self.store(node.name)

    def define(self, node: FunctionNode) -> None:
        """Read a function's body where it may first be called."""
        if self.in_function:
            self.function_body(node)
            return
        owner = self.class_names[0] if self.class_names else node.name
        self.defer(owner, node)
        if node.decorator_list and not self.class_names:
            self.apply_deferred(owner)

    visit_AsyncFunctionDef = visit_FunctionDef

    def signature(self, arguments: ast.arguments) -> None:
        """Read what runs when a function is defined: defaults, and perhaps annotations."""
        for default in (*arguments.defaults, *arguments.kw_defaults):
            if default is not None:
                self.visit(default)
        named = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        for argument in (*named, arguments.vararg, arguments.kwarg):
            if argument is not None:
                self.annotation(argument.annotation)

    def function_body(self, node: FunctionNode | ast.Lambda) -> None:
        """Read what runs when a function is called."""
        body: Sequence[ast.AST] = [node.body] if isinstance(node, ast.Lambda) else node.body
        done, dead, lazy = set(self.done), self.dead, self.lazy_annotations
        with self.type_parameters(node), self.graded(READ):
            self.scopes.append(function_scope(node.args, body))
            self.in_function += 1
            try:
                self.body(body)
            finally:
                self.in_function -= 1
                self.scopes.pop()
        self.done, self.dead, self.lazy_annotations = done, dead, lazy

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for decorator in node.decorator_list:
            self.visit(decorator)
        with self.type_parameters(node):
            for base in (*node.bases, *node.keywords):
                self.visit(base)
            self.scopes.append(Scope(CLASS, globals=class_declarations(node.body)))
            self.class_names.append(node.name)
            try:
                self.body(node.body)
            finally:
                self.class_names.pop()
                self.scopes.pop()
        if (node.decorator_list or node.keywords) and not self.in_function and not self.class_names:
            self.apply_deferred(node.name)
        self.store(node.name)

    def visit_TypeAlias(self, node: ast.AST) -> None:
        with self.type_parameters(node), self.graded(SOFT):
            self.visit(node.value)  # type: ignore[attr-defined]
        self.visit(node.name)  # type: ignore[attr-defined]


def _runs_at_least_once(iterable: ast.expr) -> bool:
    if isinstance(iterable, (ast.List, ast.Tuple, ast.Set)):
        return any(not isinstance(element, ast.Starred) for element in iterable.elts)
    if isinstance(iterable, ast.Constant):
        return bool(iterable.value)
    if isinstance(iterable, ast.Call) and isinstance(iterable.func, ast.Name) and iterable.func.id == "range":
        bounds = [arg.value for arg in iterable.args if isinstance(arg, ast.Constant)]
        if len(bounds) == len(iterable.args) and all(type(bound) is int for bound in bounds):
            return 1 <= len(bounds) <= 3 and bool(range(*bounds))  # type: ignore[arg-type]
    return False


def _always_matches(pattern: ast.pattern) -> bool:
    if isinstance(pattern, ast.MatchOr):
        return any(_always_matches(each) for each in pattern.patterns)
    return isinstance(pattern, ast.MatchAs) and (pattern.pattern is None or _always_matches(pattern.pattern))


def _catches_name_error(node: ast.Try) -> bool:
    for handler in node.handlers:
        if handler.type is None:
            return True
        if any(isinstance(n, ast.Name) and n.id in _CATCHES_NAME_ERROR for n in ast.walk(handler.type)):
            return True
    return False


def _suppresses(manager: ast.expr) -> bool:
    function = manager.func if isinstance(manager, ast.Call) else manager
    name = getattr(function, "attr", None) or getattr(function, "id", None)
    return name in _SUPPRESSORS
