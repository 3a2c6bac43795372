"""Runs a cell that needs nothing of IPython, as IPython would, without importing it before it is needed.

IPython takes longer to import than all else that a job needs together. What a program can see of it comes
into being at its first use: ``display``, ``get_ipython``, the traceback of an error, the look of a value; and
before the first module is imported that is not Python's own, since such modules ask whether they are in a
notebook.
"""

from __future__ import annotations

import builtins
import contextlib
import os
import re
import sys
import threading
import types
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple, Union

from .compiling import compile_cell
from .plain_shell import PlainShell
from .streams import Console

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

    from cumulus_jupyter.protocol.program import Program

    from .shell import IPythonShell

#: Modules of others that do not ask where they are; and those of other Pythons, that this one's ask for.
_INDIFFERENT = frozenset({"numpy", "cloudpickle", "cumulus_jupyter", "cumulus_runner", "org", "java"})
#: A program with one of these words may look at what a shell has put in place.
_TELLING = frozenset(
    """IPython __IPYTHON__ __builtin__ __builtins__ builtins _ih _oh _dh In Out ps1 ps2 displayhook excepthook
    meta_path modules globals locals vars dir eval exec settrace setprofile get_objects""".split()
)
_WORD = re.compile(r"[^\W\d]\w*")
#: A larger graph takes longer to decode than IPython to import.
_GRAPH_LIMIT = 200_000
_LOCK_PATIENCE_S = 10


def shell_for(console: Console, program: Program) -> PlainShell:
    """The lightest shell in which this program can't tell the difference."""
    from importlib.machinery import PathFinder

    if PathFinder.find_spec("IPython") is None:
        return PlainShell(console)
    if hasattr(sys, "stdlib_module_names") and _is_plain(program):
        return LightShell(console)
    from .shell import IPythonShell

    return IPythonShell(console)


def _is_plain(program: Program) -> bool:
    """True: Python without magics, that does not look at its surroundings."""
    text = program.source
    if program.graph is not None:
        text += str(program.graph)
    if program.source.strip().isidentifier() or len(text) > len(program.source) + _GRAPH_LIMIT:
        return False
    if not _TELLING.isdisjoint(_WORD.findall(text)):
        return False
    try:
        compile_cell(program.source, "<cell>")
    except (SyntaxError, ValueError):
        return False
    return True


class LightShell(PlainShell):
    """A namespace that IPython's shell takes over once it is needed."""

    def _make_namespace(self) -> Dict[str, Any]:
        self._full: Optional[IPythonShell] = None
        self._program: Optional[Program] = None
        self._building = threading.RLock()
        self._path = list(sys.path)
        doc = "Automatically created module for IPython interactive environment"
        self._module = sys.modules["__main__"] = types.ModuleType("__main__", doc)
        namespace = self._module.__dict__
        inputs: List[str] = [""]
        outputs: Dict[int, Any] = {}

        def get_ipython() -> Any:
            return self.full().ipython

        def display(*values: object, **options: Any) -> Any:
            self.full()
            return vars(builtins)["display"](*values, **options)

        namespace.update(
            dict.fromkeys(("_", "__", "___"), ""),
            __builtins__=builtins,
            __builtin__=builtins,
            _ih=inputs,
            _oh=outputs,
            _dh=[os.getcwd()],
            In=inputs,
            Out=outputs,
            get_ipython=get_ipython,
        )
        vars(builtins).update(get_ipython=get_ipython, display=display)
        self._hook = _BeforeOthers(self)
        sys.meta_path.insert(0, self._hook)
        return namespace

    def full(self) -> IPythonShell:
        """IPython's shell around the namespace."""
        if self._full is not None:
            return self._full
        # A thread that holds an import's lock may wait for this one while this one waits for it.
        locked = self._building.acquire(timeout=_LOCK_PATIENCE_S)
        try:
            if self._full is None:
                self._build()
        finally:
            if locked:
                self._building.release()
        assert self._full is not None
        return self._full

    def _build(self) -> None:
        self._hook.done = True
        # Not the job's own modules, which may have the names of those that IPython imports.
        path, sys.path[:] = list(sys.path), self._path
        before = dict(self.namespace)
        try:
            from .shell import IPythonShell

            shell = IPythonShell(self.console, self._module)
            if self._program is not None:
                shell.configure(self._program)
            self._full = shell
        except BaseException:
            for name in [name for name in sys.modules if name.partition(".")[0] == "IPython"]:
                del sys.modules[name]  # Half of it would be in the way of another attempt.
            self._hook.done = False
            raise
        finally:
            sys.path[:] = path
            for name in [name for name in self.namespace if name not in before]:
                del self.namespace[name]
            self.namespace.update(before)

    def configure(self, program: Program) -> None:
        """Prepare matplotlib's settings, without importing it."""
        from .inline_figures import choose_backend

        self._program = program
        choose_backend()

    def run(self, program: Program) -> Tuple[bool, Any]:
        """Run the cell. Returns whether it ends in an expression, and its value."""
        outcome = super().run(program)
        if self._full is not None:
            self._full.raise_caught()
        return outcome

    def finish(self) -> None:
        """What comes after a cell: figures that have not been shown."""
        if self._full is not None:
            self._full.finish()

    def format_error(self, error: BaseException) -> List[str]:
        """IPython's own traceback, from the cell's own frame on."""
        return self.full().format_error(error)

    def bundle_of(self, value: object) -> Dict[str, Any]:
        """How a value shows itself."""
        return self.full().bundle_of(value)


class _BeforeOthers:
    """An import hook that has IPython's shell made before any module of others is imported."""

    def __init__(self, shell: LightShell) -> None:
        self._shell = shell
        #: True: there is nothing to do any more.
        self.done = False

    def find_spec(self, name: str, path: object = None, target: object = None) -> Union[ModuleSpec, None]:
        """The module itself where the shell has imported it meanwhile, else leave it to the other finders."""
        if self.done or path is not None or name in _INDIFFERENT or name in sys.stdlib_module_names:
            return None
        if name.startswith("_sysconfigdata"):
            return None
        with contextlib.suppress(Exception):  # Without a shell, the import can go on all the same.
            self._shell.full()
        if name not in sys.modules:
            return None
        from importlib.machinery import ModuleSpec

        # A loader by what it does: typeshed asks for a class of its own, whose import is what is saved here.
        return ModuleSpec(name, _Imported(sys.modules[name]))  # type: ignore[arg-type]


class _Imported:
    """Loads a module that is there."""

    def __init__(self, module: types.ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        """The module."""
        return self._module

    def exec_module(self, module: types.ModuleType) -> None:
        """Give it its own specification back."""
        module.__spec__ = self._spec
