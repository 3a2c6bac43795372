"""``package_cell`` and ``package_call``: from source and namespace to a program."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..protocol.errors import InvalidArgument
from ..protocol.program import ARGS, FUNCTION, KWARGS, Program
from .cell_names import CellNames, is_empty, read_cell
from .findings import CERTAIN
from .options import Notebook, Packaged, PackageOptions

_DEFAULT = PackageOptions()


def package_cell(
    source: str,
    namespace: Mapping[str, Any],
    *,
    notebook: Notebook | None = None,
    options: PackageOptions = _DEFAULT,
) -> Packaged:
    """The program of a cell, with everything in ``namespace`` that it needs.

    Raises ``SyntaxError`` on the notebook cell's own lines, and ``InvalidArgument`` for an empty
    cell, a name that is not defined, and a value that cannot be sent.
    """
    notebook = notebook or Notebook()
    if is_empty(source):
        raise InvalidArgument("The cell is empty", next="Write the code to run below the %%cumulus line.")
    stripped = source.lstrip("\n")
    line_offset = options.line_offset + len(source) - len(stripped)
    names = _read(stripped, namespace, notebook, options.title, line_offset)
    _check_asked_names(names, namespace, options)
    program = replace(
        _program("cell", options),
        source=stripped,
        title=options.title,
        line_offset=line_offset,
        assigned=list(dict.fromkeys((*names.writes, *names.deletes))),
    )
    return _package({}, namespace, names, program, notebook, options)


def package_call(
    function: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    notebook: Notebook | None = None,
    options: PackageOptions = _DEFAULT,
) -> Packaged:
    """The program of ``function(*args, **kwargs)``.

    The function may be a notebook's or a script's own, a lambda, or one of a module; a local module
    travels as a file. Raises ``InvalidArgument`` for what cannot be sent.
    """
    if not callable(function):
        raise InvalidArgument(f"{function!r} cannot be called", next="Pass a function, then its arguments.")
    inner = getattr(function, "__func__", function)
    namespace = getattr(inner, "__globals__", None)
    if not isinstance(namespace, dict) or namespace.get("__name__") != "__main__":
        namespace = vars(sys.modules["__main__"])
    title = getattr(function, "__qualname__", None) or type(function).__name__
    program = replace(_program("call", options), title=title if options.title == "Cell" else options.title)
    roots = {FUNCTION: function, ARGS: tuple(args), KWARGS: dict(kwargs or {})}
    return _package(roots, namespace, CellNames(has_result=True), program, notebook or Notebook(), options)


def _read(
    source: str, namespace: Mapping[str, Any], notebook: Notebook, title: str, line_offset: int
) -> CellNames:
    """Read the cell; a single line that means nothing as Python may be an automagic such as ``ls``."""
    names = read_cell(source, transform=notebook.transform, title=title, line_offset=line_offset)
    if notebook.transform is not None and "\n" not in source.strip():
        import builtins

        if any(name not in namespace and not hasattr(builtins, name) for name in names.certain):
            names = read_cell(
                source, transform=notebook.transform, title=title, line_offset=line_offset, force=True
            )
    return names


def _check_asked_names(names: CellNames, namespace: Mapping[str, Any], options: PackageOptions) -> None:
    from .gather import unknown_name

    for name in options.inputs or ():
        if name not in namespace:
            raise unknown_name(name, namespace, ())
    touched = {*names.writes, *names.reads, *(options.inputs or ())}
    for name in options.outputs or ():
        if not name.isidentifier():
            raise InvalidArgument(f"{name!r} is not a name", next="Give names: --output a,b.")
        if name not in touched and not names.opaque and name not in namespace:
            assigned = ", ".join(names.writes) or "nothing"
            raise InvalidArgument(f"the cell does not assign {name!r}", next=f"It assigns: {assigned}.")


def _program(kind: str, options: PackageOptions) -> Program:
    return Program(
        kind=kind,
        outputs=None if options.outputs is None else list(options.outputs),
        pickle_results=options.pickle_results,
        value_limit_bytes=options.value_limit_bytes,
        figure_format=options.figure_format,
        figure_dpi=options.figure_dpi,
    )


def _package(
    roots: dict[str, Any],
    namespace: Mapping[str, Any],
    names: CellNames,
    program: Program,
    notebook: Notebook,
    options: PackageOptions,
) -> Packaged:
    found = names.findings
    if not (
        roots
        or found.reads
        or found.imports
        or found.needed
        or found.files
        or found.results
        or options.inputs
    ):
        return Packaged(program, names=names)
    with notebook.lock:
        return _fill(roots, namespace, names, program, notebook, options)


def _fill(
    roots: dict[str, Any],
    namespace: Mapping[str, Any],
    names: CellNames,
    program: Program,
    notebook: Notebook,
    options: PackageOptions,
) -> Packaged:
    from .gather import Gatherer, unknown_name
    from .shipping import ship

    found = names.findings
    definitions = notebook.definitions
    definitions.begin(namespace)
    gatherer = Gatherer(namespace, definitions, options.inputs)
    gatherer.read(found)
    gatherer.start_with(roots)
    unknown = [*gatherer.unknown, *(name for name in found.needed if name not in namespace)]
    if not names.opaque:
        for name in unknown:
            if name not in names.writes and found.needed.get(name, CERTAIN) == CERTAIN:
                raise unknown_name(name, namespace, names.writes)
    gatherer.hold_places(found.deletes)
    shipped = ship(gatherer, notebook, options, found)
    program = replace(
        program,
        assigned=list(dict.fromkeys((*program.assigned, *gatherer.assigned, *gatherer.deleted))),
        imports=gatherer.import_statements(),
        graph=shipped.graph,
        inline_blobs=shipped.inline_blobs,
    )
    return Packaged(
        program,
        blobs=shipped.blobs,
        files=shipped.files,
        originals=shipped.originals,
        refused=shipped.refused,
        left_out=shipped.left_out,
        installed=shipped.installed,
        notes=shipped.notes,
        names=names,
        pickled=shipped.pickled,
        _reports=shipped.reports,
    )
