"""Keeps account of names while code is read: scopes, what is assigned by now, what runs later."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TypeAlias

from .findings import CERTAIN, READ, SOFT, Findings
from .scopes import CLASS, COMPREHENSION, FUNCTION, MODULE, FunctionNode, Scope

Transform: TypeAlias = Callable[[str], str]


class NameAccount:
    """What a reader knows at each point; ``expressions`` and the readers built on it walk the code."""

    def __init__(
        self,
        *,
        transform: Transform | None = None,
        lazy_annotations: bool = False,
        definitions_only: bool = False,
    ) -> None:
        self.findings = Findings()
        #: True: nothing is called, so that ``deferred`` keeps all that functions read.
        self.definitions_only = definitions_only
        self.transform = transform
        self.lazy_annotations = lazy_annotations
        self.grade = CERTAIN
        #: Certainly assigned here: global names, and (scope, name) for class bodies.
        self.done: set[object] = set()
        #: True after raise, return, break, continue.
        self.dead = False
        self.scopes = [Scope(MODULE)]
        self.class_names: list[str] = []
        self.in_function = 0
        #: Function or class of this module -> what its code touches once it is called.
        self.deferred: dict[str, list[Findings]] = {}

    def load(self, name: str) -> None:
        """A name is read."""
        name = self._mangled(name)
        if self._is_global(name):
            self.load_global(name)

    def load_global(self, name: str, grade: int | None = None) -> None:
        """A global name is read: note it unless the code has assigned it by now."""
        if name in self.done:
            self.apply_deferred(name)
            return
        grade = self.grade if grade is None else grade
        if name in self.findings.writes:
            grade = SOFT
        elif self.dead:
            grade = min(grade, READ)
        before = frozenset(each for each in self.done if isinstance(each, str))
        self.findings.read(name, grade, before)
        self.apply_deferred(name)

    def store(self, name: str, *, skip_comprehensions: bool = False) -> None:
        """A name is assigned."""
        name = self._mangled(name)
        scopes = self.scopes
        scope = scopes[-1]
        if scope.kind == COMPREHENSION:
            if not skip_comprehensions and name in scope.bound:
                return
            scope = next(each for each in reversed(scopes) if each.kind != COMPREHENSION)
        if scope.kind == FUNCTION:
            if name in scope.globals:
                self.findings.globals[name] = None
                self.done.add(name)
        elif scope.kind == CLASS and name not in scope.globals:
            self.done.add((scope, name))
        else:
            self.findings.writes[name] = None
            self.done.add(name)

    def delete(self, name: str) -> None:
        """``del name``: it has to be there first, and then it is not."""
        name = self._mangled(name)
        scope = self.scopes[-1]
        if name in scope.globals or scope.kind == MODULE:
            if name not in self.done and name not in self.findings.writes and not self.dead:
                self.findings.needed.setdefault(name, self.grade)
            if scope.kind == FUNCTION:
                self.findings.globals[name] = None
            self.unbind(name)
        else:
            self.unbind(name)

    def unbind(self, name: str) -> None:
        """A name is gone from here on."""
        scope = self.scopes[-1]
        if scope.kind == CLASS and name not in scope.globals:
            self.done.discard((scope, name))
        elif scope.kind == MODULE or name in scope.globals:
            self.findings.deletes[name] = None
            self.done.discard(name)

    def _is_global(self, name: str) -> bool:
        innermost = True
        for scope in reversed(self.scopes):
            if name in scope.globals:
                return True
            if scope.kind == CLASS:
                if innermost and (scope, name) in self.done:
                    return False
            elif name in scope.bound:
                return False
            innermost = False
        return not (name == "__class__" and self.class_names)

    def _mangled(self, name: str) -> str:
        if self.class_names and name.startswith("__") and not name.endswith("__"):
            return f"_{self.class_names[-1].lstrip('_')}{name}"
        return name

    # --- functions that run later -------------------------------------------------------------

    def defer(self, owner: str, node: FunctionNode | ast.Lambda) -> None:
        """Read a body now, and count what it reads when ``owner`` is mentioned."""
        mine, done, grade = self.findings, self.done, self.grade
        self.findings, self.done, self.grade = Findings(), set(), READ
        try:
            self.function_body(node)
        finally:
            body, self.findings = self.findings, mine
            self.done, self.grade = done, grade
        self.deferred.setdefault(owner, []).append(body)
        self.findings.take_references(body)

    def apply_deferred(self, owner: str) -> None:
        """``owner`` may be called from here on."""
        if self.definitions_only:
            return
        pending, seen = [owner], set()
        while pending:
            name = pending.pop()
            if name in seen or name not in self.deferred:
                continue
            seen.add(name)
            for body in self.deferred[name]:
                self.findings.take_all_but_reads(body)
                for read, grade in body.reads.items():
                    if read not in self.done:
                        soft = read in self.findings.writes
                        before = frozenset(each for each in self.done if isinstance(each, str))
                        self.findings.read(read, SOFT if soft else min(grade, self.grade), before)
                    pending.append(read)

    def function_body(self, node: FunctionNode | ast.Lambda) -> None:
        """Read what runs when a function is called."""
        raise NotImplementedError
