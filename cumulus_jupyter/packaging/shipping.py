"""Encodes what was gathered, refuses what cannot travel, and adds the files that imports need."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..protocol.errors import InvalidArgument
from ..protocol.program import ARGS, FUNCTION, KWARGS
from ..values.encoder import encode
from ..values.model import Encoded, EncodeOptions, Refusal
from .files import ModuleFiles, collect, imports_of
from .findings import Findings
from .gather import Gatherer, is_shell_name
from .imports import imported_names, modules_in_pickles
from .options import PYTHON, Notebook, PackageOptions

if TYPE_CHECKING:
    from ..values.model import ValueReport

_SPOKEN = {FUNCTION: "the function", ARGS: "an argument", KWARGS: "a keyword argument"}

_ITERATORS = frozenset("generator async_generator map filter zip enumerate reversed".split())
_OPEN_FILES = frozenset("TextIOWrapper BufferedReader BufferedWriter BufferedRandom FileIO".split())
_OF_THIS_PROCESS = frozenset(
    "lock RLock Thread Event Condition Semaphore socket Connection Cursor Popen Process Task Future".split()
)


@dataclass(frozen=True)
class Shipped:
    """The travelling part of a program."""

    graph: dict[str, Any] | None
    inline_blobs: dict[str, str]
    blobs: dict[str, Any]
    files: Mapping[str, Path | bytes]
    originals: Mapping[int, object]
    refused: dict[str, Refusal]
    left_out: dict[str, Refusal]
    installed: tuple[str, ...]
    notes: tuple[str, ...]
    pickled: bool
    reports: Callable[[], tuple[ValueReport, ...]]


class _Globals(Mapping[str, Any]):
    """Where encoding finds the names that definitions read: not the shell's, not those assigned before."""

    def __init__(self, gatherer: Gatherer) -> None:
        self._gatherer = gatherer

    def __contains__(self, name: object) -> bool:
        gatherer = self._gatherer
        if not isinstance(name, str) or name not in gatherer.namespace:
            return False
        if name in gatherer.shadowed and name not in gatherer.roots:
            return False
        return name not in gatherer.module_names and not is_shell_name(name, gatherer.namespace)

    def __getitem__(self, name: str) -> Any:
        if name not in self:
            raise KeyError(name)
        return self._gatherer.namespace[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._gatherer.namespace if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def ship(gatherer: Gatherer, notebook: Notebook, options: PackageOptions, findings: Findings) -> Shipped:
    """Encode the roots. Raises ``InvalidArgument`` for what cannot be sent, unless ``report_only``."""
    same_python = options.job_python in (None, PYTHON)
    encode_options = EncodeOptions(
        allow_pickle=options.allow_pickle and same_python,
        value_limit_bytes=options.input_limit_bytes,
        definitions=gatherer.definitions,
        globals=_Globals(gatherer),
    )
    encoded = encode(gatherer.roots, encode_options)
    refused, left_out = dict(encoded.refused), {}
    rescued = _import_instead(gatherer, notebook, refused)
    if rescued:
        encoded = encode(gatherer.roots, encode_options)
        refused = dict(encoded.refused)
    for name in list(refused):
        if name in gatherer.soft:
            left_out[name] = refused.pop(name)
    if refused and options.allow_pickle and not same_python:
        refused = {name: _needs_pickle(each, options) for name, each in refused.items()}
    if refused and not options.report_only:
        raise _refusal(refused, gatherer)
    gatherer.follow_found()
    modules = _collect(gatherer, encoded, notebook, findings, options.report_only)
    inline: dict[str, str] = {}
    blobs: dict[str, Any] = dict(encoded.blobs)
    if encoded.size_bytes <= options.inline_limit_bytes:
        inline = {name: base64.b64encode(memoryview(blob).cast("B")).decode() for name, blob in blobs.items()}
        blobs = {}
    return Shipped(
        graph=encoded.graph if encoded.graph["roots"] else None,
        inline_blobs=inline,
        blobs=blobs,
        files=modules.files,
        originals=encoded.originals,
        refused=refused,
        left_out=left_out,
        installed=tuple(sorted(modules.installed)),
        notes=tuple(modules.notes),
        pickled=encoded.pickled,
        reports=lambda: tuple(encoded.reports),
    )


def _needs_pickle(refusal: Refusal, options: PackageOptions) -> Refusal:
    return replace(
        refusal,
        reason=f"needs pickle, but the job runs Python {options.job_python} and this is {PYTHON}",
        next=f"Make it inside the cell, or ask for a worker with Python {PYTHON}.",
    )


def _refusal(refused: Mapping[str, Refusal], gatherer: Gatherer) -> InvalidArgument:
    """One error that names every value that cannot be sent, and the way out."""
    lines = []
    for name, refusal in refused.items():
        spoken = _SPOKEN.get(name, name)
        if name in gatherer.via:
            spoken += f" (read by {gatherer.via[name]})"
        lines.append(f"{spoken} is {_article(refusal.type_name)} {refusal.type_name}: {refusal.reason}")
    message = lines[0] if len(lines) == 1 else "These values cannot be sent:\n  " + "\n  ".join(lines)
    ways = dict.fromkeys(way_out(gatherer.roots.get(name), refusal) for name, refusal in refused.items())
    return InvalidArgument(message, next=" ".join(ways))


def _article(word: str) -> str:
    return "an" if word[:1].lower() in "aeiou" else "a"


def way_out(value: Any, refusal: Refusal) -> str:
    """What the user can do about a value that cannot be sent."""
    kind = type(value).__name__
    if kind in _ITERATORS:
        return "Compute it inside the cell, or convert it to a list first."
    if kind in _OPEN_FILES:
        return "Read the file in an earlier cell and use its contents, or open it inside the cell."
    if kind in _OF_THIS_PROCESS:
        return "Create it inside the cell: it belongs to this process."
    return refusal.next


def _import_instead(gatherer: Gatherer, notebook: Notebook, refused: Mapping[str, Refusal]) -> bool:
    """Take refused values from where an earlier cell imported them: ``from torch import float32``."""
    if not refused or notebook.history is None:
        return False
    places = imported_names(notebook.history())
    rescued = False
    for name in refused:
        place = places.get(name)
        if place is not None and place.gives(gatherer.roots.get(name)):
            del gatherer.roots[name]
            gatherer.imports[place.statement] = None
            gatherer.modules[place.module] = None
            rescued = True
    return rescued


def _collect(
    gatherer: Gatherer, encoded: Encoded, notebook: Notebook, findings: Findings, report_only: bool
) -> ModuleFiles:
    """Files of the user's own modules, of what pickles name, and of scripts that magics run."""
    names = {*gatherer.modules, *encoded.modules}
    if encoded.pickled:
        names |= modules_in_pickles(encoded)
    modules = collect(sorted(names), notebook.folder)
    for module in modules.in_memory:
        message = f"the module {module!r} exists only in this notebook's memory"
        if not report_only:
            raise InvalidArgument(
                message, next="Write it to a file next to the notebook and import it, or define it in a cell."
            )
        modules.notes.append(f"REFUSED: {message}")
    for name in findings.files:
        path = (notebook.folder or Path()) / name
        if not Path(name).is_absolute() and ".." not in Path(name).parts and path.is_file():
            modules.files[Path(name).as_posix()] = path
            script = collect(imports_of(path), notebook.folder)
            modules.files.update(script.files)
            modules.installed.update(script.installed)
    return modules
