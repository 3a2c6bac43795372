"""Turn a cell or a call into a submission: packaging's findings in the relay's terms."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..protocol.errors import PayloadTooLarge
from ..protocol.jobs import Health, Origin
from .connection import Part, size_of
from .errors import cell_syntax_error
from .origin import origin_of
from .outcome import NOWHERE, Home
from .submission import PYTHON, JobOptions, Submission, make_submission

if TYPE_CHECKING:
    from ..packaging import Packaged, PackageOptions


@dataclass(frozen=True)
class CellRequest:
    """One cell, as the magic was given it."""

    source: str
    #: The IPython shell; its namespace is where names come from.
    shell: Any
    #: Names to ship; ``None`` for all that are read.
    inputs: Sequence[str] | None = None
    #: Names to bring back; ``None`` for all that change.
    outputs: Sequence[str] | None = None
    value_limit_bytes: int = 64 * 2**20


@dataclass(frozen=True)
class Packed:
    """A cell ready to go, or the report of what would go."""

    #: ``None`` after a dry run.
    submission: Submission | None
    #: Where what comes back is to live.
    home: Home = NOWHERE
    #: What a dry run found; shows itself.
    report: Any = None


def pack_cell(request: CellRequest, options: JobOptions, health: Health, *, dry_run: bool = False) -> Packed:
    """Package a cell. Raises ``SyntaxError``, and ``InvalidArgument`` for what cannot be sent."""
    try:
        packaged = _package_cell(request, options, health, dry_run)
    except SyntaxError as error:
        raise cell_syntax_error(error) from None
    if dry_run:
        from ..packaging import dry_run_report

        return Packed(None, report=dry_run_report(packaged))
    shell, source = request.shell, packaged.program.source
    home = Home(shell.user_ns, lambda: _plain(source, shell), packaged.originals)
    return Packed(_submission(packaged, options, health, origin=origin_of(shell)), home)


def _package_cell(request: CellRequest, options: JobOptions, health: Health, dry_run: bool) -> Packaged:
    from ..packaging import notebook_of, package_cell

    shell = request.shell
    return package_cell(
        request.source,
        shell.user_ns,
        notebook=notebook_of(shell),
        options=_package_options(
            options,
            health,
            title=f"Cell In[{cell_number(shell)}]",
            line_offset=1,
            inputs=None if request.inputs is None else tuple(request.inputs),
            outputs=None if request.outputs is None else tuple(request.outputs),
            value_limit_bytes=request.value_limit_bytes,
            report_only=dry_run,
            **_figures(),
        ),
    )


def package_function(
    func: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    options: JobOptions,
    health: Health,
    *,
    keep: bool = False,
) -> Submission:
    """Package a call. With ``keep`` the arguments are copied as they are now: they are sent later."""
    from ..packaging import notebook_of, package_call

    chosen = _package_options(options, health)
    shell = _shell()
    notebook = None if shell is None else notebook_of(shell)
    packaged = package_call(func, args, kwargs, notebook=notebook, options=chosen)
    return _submission(packaged, options, health, keep=keep, origin=origin_of(shell))


def cell_number(shell: Any) -> int:
    """The number of the cell that is running. IPython 9 counts on before it runs a cell, 8 after."""
    return int(shell.displayhook.prompt_count)


def _submission(
    packaged: Packaged, options: JobOptions, health: Health, *, keep: bool = False, origin: Origin
) -> Submission:
    parts: list[Part] = []
    if packaged.blobs or packaged.files:
        from ..packaging import bundle_parts

        pieces = bundle_parts(packaged)
        total = sum(map(size_of, pieces))
        if 0 < health.bundle_limit_bytes < total:
            raise PayloadTooLarge(
                f"The cell needs {total / 2**20:.1f} MiB;"
                f" the relay takes {health.bundle_limit_bytes / 2**20:.0f} MiB",
                next="See what is large with --dry-run, and send less with -i.",
            )
        parts = [b"".join(pieces)] if keep else pieces
    return make_submission(packaged.program, options, parts, python_exact=packaged.pickled, origin=origin)


def _package_options(options: JobOptions, health: Health, **more: Any) -> PackageOptions:
    from ..packaging import PackageOptions

    same = PYTHON in health.pythons or not health.pythons
    return PackageOptions(
        job_python=PYTHON if same else health.pythons[0], pickle_results=options.pickle, **more
    )


def _shell() -> Any:
    """The IPython shell of this process; ``None`` in a script."""
    import sys

    module = sys.modules.get("IPython")
    return None if module is None else module.get_ipython()


def _figures() -> dict[str, Any]:
    """How figures are drawn here, where matplotlib's inline backend says so."""
    import sys

    if "matplotlib_inline.config" not in sys.modules:
        return {}
    from matplotlib_inline.config import InlineBackend

    formats = [name for name in ("retina", "svg", "png") if name in InlineBackend.instance().figure_formats]
    return {"figure_format": formats[0]} if formats else {}


def _plain(source: str, shell: Any) -> str:
    try:
        ast.parse(source)
        return source
    except SyntaxError:
        return str(shell.transform_cell(source))
