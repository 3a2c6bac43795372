"""Reads control flow: what is certainly assigned after branches, loops and exceptions."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from .expressions import ExpressionReader
from .findings import CERTAIN, READ

_CATCHES_NAME_ERROR = frozenset({"NameError", "Exception", "BaseException", "StandardError"})
_SUPPRESSORS = frozenset({"suppress", "raises", "assertRaises", "assertRaisesRegex"})


class BranchReader(ExpressionReader):
    """Walks compound statements."""

    def body(self, statements: Iterable[ast.AST]) -> None:
        """Read statements, one after another."""
        for statement in statements:
            self.visit(statement)

    @contextmanager
    def graded(self, grade: int) -> Iterator[None]:
        """Reads inside count for at most ``grade``."""
        before, self.grade = self.grade, min(self.grade, grade)
        try:
            yield
        finally:
            self.grade = before

    def branch(self, statements: Iterable[ast.AST], start: set[object]) -> set[object] | None:
        """Read a branch that begins with ``start``; what it assigns, or None if it never ends."""
        self.done, self.dead = set(start), False
        self.body(statements)
        end = None if self.dead else self.done
        self.dead = False
        return end

    def join(self, ends: Sequence[set[object] | None], start: set[object]) -> None:
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
        leaving = (ast.Break, ast.Continue)
        left_early = any(isinstance(node, leaving) for each in body for node in ast.walk(each))
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
        ends: list[set[object] | None] = []
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


def _runs_at_least_once(iterable: ast.expr) -> bool:
    if isinstance(iterable, (ast.List, ast.Tuple, ast.Set)):
        return any(not isinstance(element, ast.Starred) for element in iterable.elts)
    if isinstance(iterable, ast.Constant):
        return bool(iterable.value)
    if isinstance(iterable, ast.Call) and isinstance(iterable.func, ast.Name) and iterable.func.id == "range":
        bounds = [arg.value for arg in iterable.args if isinstance(arg, ast.Constant)]
        if len(bounds) == len(iterable.args) and all(type(bound) is int for bound in bounds):
            # mypy does not carry what all() has found over to the list.
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
