"""A real IPython shell to write a notebook in, and a bare interpreter's way of running a program."""

from __future__ import annotations

import ast
import base64
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from cumulus_jupyter.packaging import Packaged, PackageOptions, notebook_of, package_call, package_cell
from cumulus_jupyter.protocol.program import ARGS, FUNCTION, KWARGS
from cumulus_jupyter.values import decode


class NotebookPage:
    """Cells run in a shell, one after another; and packaged as ``%%cumulus`` would."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell

    @property
    def names(self) -> dict[str, Any]:
        return self.shell.user_ns

    def run(self, source: str) -> None:
        self.shell.run_cell(source, store_history=True).raise_error()

    def package(self, source: str, **options: Any) -> Packaged:
        return package_cell(
            source, self.names, notebook=notebook_of(self.shell), options=PackageOptions(**options)
        )

    def call(self, function: Any, *args: Any, **kwargs: Any) -> Packaged:
        return package_call(function, args, kwargs, notebook=notebook_of(self.shell))


def elsewhere(packaged: Packaged) -> dict[str, Any]:
    """Run a program as a job would; the namespace it leaves, with a call's value as ``@result``."""
    program = packaged.program
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("\n".join(program.imports), namespace)
    inputs: dict[str, Any] = {}
    if program.graph is not None:
        blobs = {name: base64.b64decode(text) for name, text in program.inline_blobs.items()}
        blobs.update(packaged.blobs)
        inputs = decode(program.graph, blobs, allow_pickle=True, namespace=namespace).values
        namespace.update({name: value for name, value in inputs.items() if not name.startswith("@")})
    if program.kind == "call":
        namespace["@result"] = inputs[FUNCTION](*inputs[ARGS], **inputs[KWARGS])
        return namespace
    exec(compile(ast.parse(program.source), "<cell>", "exec"), namespace)
    return namespace


def shipped(packaged: Packaged) -> set[str]:
    """Names whose values or definitions travel."""
    return set((packaged.program.graph or {"roots": {}})["roots"])
