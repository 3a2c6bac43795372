"""Reads expressions: loads, stores, and everything that has a scope of its own inside them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Optional, Union

from . import shell_syntax
from .findings import CERTAIN, READ, SOFT, Findings
from .scopes import CLASS, COMPREHENSION, FUNCTION, MODULE, Comprehension, FunctionNode, Scope, target_names

#: Calls that can make or look at any name.
_ANYTHING = frozenset({"exec", "globals", "locals", "vars", "setattr"})
_EVALUATES = frozenset({"eval", "exec"})

Transform = Callable[[str], str]


class ExpressionReader:
    """Walks expressions; ``reader.StatementReader`` adds the statements."""

    def __init__(
        self,
        *,
        transform: Optional[Transform] = None,
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
        self._visitors: dict[type, Callable[[Any], None]] = {}

    def visit(self, node: ast.AST) -> None:
        """Read one node."""
        kind = type(node)
        visitor = self._visitors.get(kind)
        if visitor is None:
            visitor = getattr(self, f"visit_{kind.__name__}", self.visit_children)
            self._visitors[kind] = visitor
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

    # --- names --------------------------------------------------------------------------------

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

    def load(self, name: str) -> None:
        """A name is read."""
        name = self._mangled(name)
        if self._is_global(name):
            self.load_global(name)

    def load_global(self, name: str, grade: Optional[int] = None) -> None:
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

    def defer(self, owner: str, node: Union[FunctionNode, ast.Lambda]) -> None:
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

    def function_body(self, node: Union[FunctionNode, ast.Lambda]) -> None:
        """Read what runs when a function is called."""
        raise NotImplementedError

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
        """``globals()["x"]`` is ``x``."""
        call, key = node.value, node.slice
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
