"""How to package, and what packaging gives."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from ..protocol.program import Program
from .cell_names import CellNames
from .name_account import Transform

if TYPE_CHECKING:
    from ..values.model import Refusal, ValueReport
    from .definitions import NotebookDefinitions

#: The Python minor version of this process, such as "3.11".
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"


@dataclass(frozen=True)
class PackageOptions:
    """What the user chose for one cell or call."""

    #: What tracebacks call the cell, such as "Cell In[3]".
    title: str = "Cell"
    #: Lines of the notebook's cell above ``source``: 1 for the magic's own line.
    line_offset: int = 0
    #: Data to ship: exactly these names, beside what definitions need; ``None`` for all that is read.
    inputs: tuple[str, ...] | None = None
    #: Names to bring back; ``None`` for all that are assigned or changed.
    outputs: tuple[str, ...] | None = None
    #: False: nothing is pickled on the way to the job.
    allow_pickle: bool = True
    #: Python minor version of the job, such as "3.12", where known; pickles need this one's.
    job_python: str | None = None
    #: True: results without a safe encoding come back pickled.
    pickle_results: bool = False
    #: Results larger than this stay behind, in bytes.
    value_limit_bytes: int = 64 * 2**20
    #: Inputs larger than this are refused, in bytes; ``None`` for no limit.
    input_limit_bytes: int | None = None
    #: Blobs travel inside the program up to this many bytes together.
    inline_limit_bytes: int = 64 * 2**10
    figure_format: str = "png"
    figure_dpi: float | None = None
    #: True: what cannot be sent is reported in ``Packaged.refused`` instead of raised.
    report_only: bool = False


@dataclass
class Notebook:
    """What packaging knows of a notebook or script beside its namespace; kept between cells.

    ``notebook_of`` makes one for a shell. Without a shell, the plain one does.
    """

    #: The shell's ``transform_cell``.
    transform: Transform | None = None
    #: Gives the cells run so far as plain Python, oldest first.
    history: Callable[[], Iterable[str]] | None = None
    #: What the shell calls the cell that a code object's file name stands for; the name itself elsewhere.
    title: Callable[[str], str] = str
    #: Where local modules are looked for beside ``sys.path``: the notebook's folder.
    folder: Path | None = None
    #: One program at a time: what has been found belongs to it.
    lock: Any = field(default_factory=RLock, repr=False)
    _definitions: NotebookDefinitions | None = field(default=None, repr=False)

    @property
    def definitions(self) -> NotebookDefinitions:
        """Finds sources, and keeps what it has parsed."""
        if self._definitions is None:
            from .definitions import NotebookDefinitions

            self._definitions = NotebookDefinitions(self.history, self.title)
        return self._definitions


@dataclass(frozen=True)
class Packaged:
    """A program ready to be submitted."""

    program: Program
    #: Blobs that are not inside the program: the bundle's ``blobs/ID``. They share memory with live values.
    blobs: Mapping[str, Any] = field(default_factory=dict, repr=False)
    #: The bundle's ``files/PATH``: local modules, put in the job's working folder.
    files: Mapping[str, Path | bytes] = field(default_factory=dict)
    #: Node number -> live object, for ``values.apply_changes``.
    originals: Mapping[int, object] = field(default_factory=dict, repr=False)
    #: With ``report_only``: what cannot be sent, by name.
    refused: Mapping[str, Refusal] = field(default_factory=dict)
    #: Names left out because the cell can do without them, with the reason.
    left_out: Mapping[str, Refusal] = field(default_factory=dict)
    #: Top-level modules of installed distributions that the program imports.
    installed: tuple[str, ...] = ()
    #: Other things worth telling, in words.
    notes: tuple[str, ...] = ()
    names: CellNames = field(default_factory=CellNames, repr=False)
    #: True: something travels pickled, so that the job must run this very Python minor version.
    pickled: bool = False
    #: The Python minor version that packaged it.
    python: str = PYTHON
    _reports: Callable[[], tuple[ValueReport, ...]] = field(default=tuple, repr=False)

    @property
    def reports(self) -> tuple[ValueReport, ...]:
        """How each value travels; worked out when asked for."""
        return self._reports()
