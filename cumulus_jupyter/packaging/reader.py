"""Reads statements in the order in which they run, and finds the global names they touch.

Scoping is Python's own. On top of it stands a simple account of what is certainly assigned at
each point, so that ``x = 1; print(x)`` does not read an older ``x``, and of functions: what a
function of the cell reads counts where the function is first mentioned after its definition.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from .branches import BranchReader
from .findings import READ, SOFT, Findings
from .scopes import CLASS, FUNCTION, FunctionNode, Scope, class_declarations, function_scope, import_binding


class StatementReader(BranchReader):
    """Walks the statements of one module or cell."""

    def run(self, body: Sequence[ast.stmt]) -> Findings:
        """Read the whole module and return what was found."""
        self.body(body)
        if self.findings.opaque:
            for name in list(self.deferred):
                self.apply_deferred(name)
        self.findings.assigned = frozenset(name for name in self.done if isinstance(name, str))
        return self.findings

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

    def annotation(self, node: ast.AST | None) -> None:
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

    def visit_TypeAlias(self, node: Any) -> None:
        with self.type_parameters(node), self.graded(SOFT):
            self.visit(node.value)
        self.visit(node.name)
