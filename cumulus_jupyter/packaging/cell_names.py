"""``read_cell``: the names a cell reads and writes, found without running it."""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass, field

from .findings import CERTAIN, SOFT, Findings
from .name_account import Transform
from .reader import StatementReader

#: Flags under which IPython compiles a cell.
_FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


@dataclass(frozen=True)
class CellNames:
    """What a cell does with names. Tuples are in the order of first use."""

    #: Global names read before the cell has certainly assigned them.
    reads: tuple[str, ...] = ()
    #: Of these, the ones that are read whatever happens.
    certain: frozenset[str] = frozenset()
    #: Of these, the ones the cell can do without, for all that reading it tells.
    soft: frozenset[str] = frozenset()
    #: Global names assigned, functions' ``global`` statements included.
    writes: tuple[str, ...] = ()
    #: Global names deleted.
    deletes: tuple[str, ...] = ()
    #: Global names that functions assign.
    globals: tuple[str, ...] = ()
    #: Modules imported, anywhere in the cell, by dotted name.
    imports: tuple[str, ...] = ()
    #: True: the cell ends in an expression, whose value is its result.
    has_result: bool = False
    #: Why the cell may make names that reading does not find; empty where it cannot.
    opaque: str = ""
    findings: Findings = field(default_factory=Findings, repr=False)


def read_cell(
    source: str,
    *,
    transform: Transform | None = None,
    title: str = "Cell",
    line_offset: int = 0,
    force: bool = False,
) -> CellNames:
    """Find the names in a cell.

    ``transform`` is the shell's ``transform_cell``; it is asked only where the source is not plain
    Python, or with ``force``. Raises ``SyntaxError``, with ``title`` as its file and lines
    counted from ``line_offset``, for what Python and IPython both reject.
    """
    tree = None
    text = source
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not force or transform is None:
            try:
                tree = ast.parse(source)
            except (SyntaxError, ValueError):
                tree = None
        try:
            if tree is None:
                text = (transform or _plain_transform)(source)
                tree = ast.parse(text, title)
            compile(tree, title, "exec", flags=_FLAGS, dont_inherit=True)
        except SyntaxError as error:
            raise _placed(error, text, title, line_offset) from None
        except ValueError as error:
            raise SyntaxError(str(error)) from None
    reader = StatementReader(transform=transform or _plain_transform, lazy_annotations=_LAZY)
    findings = reader.run(tree.body)
    ends_in_expression = bool(tree.body) and isinstance(tree.body[-1], ast.Expr)
    return CellNames(
        reads=tuple(findings.reads),
        certain=frozenset(name for name, grade in findings.reads.items() if grade == CERTAIN),
        soft=frozenset(name for name, grade in findings.reads.items() if grade == SOFT),
        writes=tuple({**findings.writes, **findings.globals}),
        deletes=tuple(findings.deletes),
        globals=tuple(findings.globals),
        imports=tuple(findings.imports),
        has_result=ends_in_expression and not _is_silenced(text, tree.body[-1]),
        opaque=findings.opaque,
        findings=findings,
    )


def is_empty(source: str) -> bool:
    """True for a cell without a statement: blank, or comments only."""
    return all(not line.strip() or line.lstrip().startswith("#") for line in source.splitlines())


def _is_silenced(source: str, last: ast.stmt) -> bool:
    """A ``;`` after the last expression says that its value is not wanted."""
    line = source.encode().splitlines()[(last.end_lineno or 1) - 1]
    rest = line[last.end_col_offset or 0 :].decode(errors="replace")
    return rest.lstrip().startswith(";")


def _placed(error: SyntaxError, text: str, title: str, line_offset: int) -> SyntaxError:
    """The same error, on the lines of the notebook's cell, which its message may name too."""
    try:
        compile("\n" * line_offset + text, title, "exec", flags=_FLAGS, dont_inherit=True)
    except SyntaxError as placed:
        if type(placed) is type(error):
            return placed
    # IPython could not translate it, so that the text still has its magics, which Python minds first.
    line = None if error.lineno is None else error.lineno + line_offset
    return type(error)(error.msg, (title, line, error.offset, error.text))


def _plain_transform(source: str) -> str:
    """IPython's syntax without a shell's own additions; the source itself where IPython is not there."""
    try:
        from IPython.core.inputtransformer2 import TransformerManager
    except ImportError:
        return source
    # IPython declares no types here.
    manager = TransformerManager()  # type: ignore[no-untyped-call]
    return manager.transform_cell(source)


def _annotations_are_lazy() -> bool:
    import sys

    return sys.version_info >= (3, 14)


_LAZY = _annotations_are_lazy()
