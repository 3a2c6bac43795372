"""The dry run: what would be sent, what would not and why, as data and as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..protocol.program import ARGS, FUNCTION, KWARGS
from .bundle import bundle_parts, bundle_size
from .distributions import Distribution, distributions_of

if TYPE_CHECKING:
    from .options import Packaged

_SPOKEN = {FUNCTION: "(function)", ARGS: "(arguments)", KWARGS: "(keyword arguments)"}


@dataclass(frozen=True)
class ReportedValue:
    """One name that would be sent."""

    name: str
    type_name: str
    encoding: str
    size_bytes: int


@dataclass(frozen=True)
class ReportedFile:
    """One file that would be sent."""

    path: str
    #: Where it is here; empty where it is no file.
    source: str
    size_bytes: int


@dataclass(frozen=True)
class ReportedRefusal:
    """One name that would not be sent."""

    name: str
    type_name: str
    reason: str
    next: str
    #: True: the submission stops here. False: the cell can do without it.
    stops: bool


@dataclass(frozen=True, repr=False)
class DryRun:
    """What a submission would hold; ``str()`` of it is the text to show."""

    values: tuple[ReportedValue, ...]
    imports: tuple[str, ...]
    files: tuple[ReportedFile, ...]
    distributions: tuple[Distribution, ...]
    refused: tuple[ReportedRefusal, ...]
    #: Names that would come back, as far as reading tells.
    outputs: tuple[str, ...]
    #: Bytes beside the program; 0 where no bundle is needed.
    bundle_bytes: int
    pickled: bool
    python: str
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)

    def __repr__(self) -> str:
        lines = []
        if self.values:
            lines.append("Sent:")
            rows = [(v.name, v.type_name, v.encoding, size_text(v.size_bytes)) for v in self.values]
            lines += _table(rows)
        else:
            lines.append("Sent: nothing but the code")
        if self.imports:
            lines.append("Imports:")
            lines += [f"  {statement}" for statement in self.imports]
        if self.files:
            lines.append("Files:")
            lines += _table([(f.path, size_text(f.size_bytes)) for f in self.files])
        if self.distributions:
            names = ", ".join(f"{d.name} {d.version}" for d in self.distributions)
            lines.append(f"Needs, not sent: {names}")
        for refusal in self.refused:
            head = "Refused" if refusal.stops else "Left out"
            why = f"{refusal.reason}. {refusal.next}"
            lines.append(f"{head}: {refusal.name} ({refusal.type_name}): {why}".rstrip())
        lines.append(f"Comes back: {', '.join(self.outputs) or 'nothing by name'}")
        if self.pickled:
            lines.append(f"Pickled values are among them: the job must run Python {self.python}.")
        lines += [f"Note: {note}" for note in self.notes]
        if self.bundle_bytes:
            lines.append(f"Bundle: {size_text(self.bundle_bytes)}")
        return "\n".join(lines)


def dry_run_report(packaged: Packaged) -> DryRun:
    """Describe a packaged program; made with ``report_only`` it tells every refusal, not just raises."""
    program = packaged.program
    refused = [
        ReportedRefusal(_SPOKEN.get(name, name), each.type_name, each.reason, each.next, stops)
        for refusals, stops in ((packaged.refused, True), (packaged.left_out, False))
        for name, each in refusals.items()
    ]
    return DryRun(
        values=tuple(
            ReportedValue(_SPOKEN.get(each.name, each.name), each.type_name, each.encoding, each.size_bytes)
            for each in packaged.reports
        ),
        imports=tuple(program.imports),
        files=tuple(_reported_file(path, content) for path, content in sorted(packaged.files.items())),
        distributions=distributions_of(packaged.installed) if packaged.installed else (),
        refused=tuple(refused),
        outputs=tuple(program.assigned if program.outputs is None else program.outputs),
        bundle_bytes=bundle_size(bundle_parts(packaged)),
        pickled=packaged.pickled,
        python=packaged.python,
        notes=packaged.notes,
    )


def _reported_file(path: str, content: Path | bytes) -> ReportedFile:
    if isinstance(content, bytes):
        return ReportedFile(path, "", len(content))
    return ReportedFile(path, str(content), content.stat().st_size)


def size_text(size_bytes: float) -> str:
    """Bytes for people: "0 B", "1.5 KiB", "64 MiB"."""
    for unit in ("B", "KiB", "MiB"):
        if size_bytes < 1024:
            return f"{size_bytes:.3g} {unit}" if size_bytes < 1000 else f"{size_bytes:.0f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.3g} GiB"


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [f"  {'  '.join(map(str.ljust, row, widths))}".rstrip() for row in rows]
