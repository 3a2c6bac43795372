"""What a job's failure looks like here."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from ..protocol.errors import CumulusError, error_from_wire
from ..protocol.events import Error, State

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

#: Modules of the standard library that do something when they are imported.
_PRANKS = frozenset({"antigravity", "this", "idlelib", "turtledemo", "test"})


class RemoteError(CumulusError):
    """The job raised an exception whose class is not known here."""

    def __init__(self, name: str, value: str, *, job_id: str | None = None) -> None:
        super().__init__(f"{name}: {value}" if value else name, job_id=job_id)
        #: Name of the class there, such as "MyError".
        self.name = name
        #: ``str`` of the exception there.
        self.value = value

    def __str__(self) -> str:
        return self.message


class JobCancelled(CumulusError):
    """The job was cancelled."""

    code = "FAILED_PRECONDITION"
    #: What people read before the message, in place of the code.
    head = "Cancelled"
    status = 409


class CellSyntaxError(SyntaxError):
    """The cell, or something it ran there, is not Python. Shown by ``view.failure``."""


class CellIndentationError(CellSyntaxError, IndentationError):
    """The same for what is not Python by its indentation."""


class CellTabError(CellIndentationError, TabError):
    """The same for what mixes tabs and spaces."""


_SHOWN_AS = {SyntaxError: CellSyntaxError, IndentationError: CellIndentationError, TabError: CellTabError}
for _known, _shown in _SHOWN_AS.items():
    # People know it by this name.
    _shown.__name__ = _known.__name__


def cell_syntax_error(error: SyntaxError) -> SyntaxError:
    """The same error, shown as IPython shows one of a cell; one of the user's own class stays itself."""
    shown = _SHOWN_AS.get(type(error))
    return error if shown is None else shown(*error.args)


class RemoteTraceback(Exception):
    """Cause of an exception that came from a job: its traceback there, as plain text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"\n{self.text}"


class Rendered:
    """What IPython shows for an exception: the lines it had where it was raised.

    An instance is set as the exception's ``_render_traceback_``, which IPython calls.
    """

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    def __call__(self) -> list[str]:
        return self.lines


def exception_of(
    error: Error, job_id: str, namespace: Mapping[str, Any] | None = None, source: str = ""
) -> BaseException:
    """The exception a job ended with: of its own class where that can be had here.

    ``namespace`` holds the notebook's own classes, ``source`` is the cell. In IPython it shows
    the traceback it had there; elsewhere that traceback is its ``__cause__``.
    """
    raised = _own_exception(error, namespace or {}, source)
    if raised is None:
        raised = RemoteError(error.name, error.value, job_id=job_id)
    if isinstance(raised, SyntaxError):
        raised = cell_syntax_error(raised)
    if error.traceback:
        raised.__dict__["_render_traceback_"] = Rendered(list(error.traceback))
        raised.__cause__ = RemoteTraceback(_COLOUR.sub("", "\n".join(error.traceback)))
    raised.__dict__["cumulus_job_id"] = job_id
    return raised


def passable(failure: BaseException) -> BaseException:
    """No event loop passes ``StopIteration`` on: whoever awaits the job would wait for ever."""
    if not isinstance(failure, StopIteration):
        return failure
    raised = RuntimeError("the job raised StopIteration")
    raised.__dict__.update(failure.__dict__)
    raised.__cause__ = failure
    return raised


def failure_of(end: State, job_id: str) -> CumulusError:
    """The error of a job that ended without an exception of its own."""
    body = dict(end.error or {"code": "INTERNAL", "message": end.message})
    body.setdefault("job_id", job_id)
    body["job_id"] = body["job_id"] or job_id
    return error_from_wire(body)


def _own_exception(error: Error, namespace: Mapping[str, Any], source: str) -> BaseException | None:
    cls = _find_class(error, namespace, source)
    if cls is None:
        return None
    kept = _decode_kept(error)
    args = kept.pop("args", (error.value,))
    raised = _constructed(cls, args, error.value)
    if raised is not None:
        raised.__dict__.update((name, value) for name, value in kept.items() if _is_plain(name))
    return raised


def _constructed(cls: type[BaseException], args: tuple[Any, ...], text: str) -> BaseException | None:
    try:
        raised = cls(*args)
        if str(raised) == text:
            return raised
    except Exception:
        pass
    # A constructor of its own shape: take what the base class keeps, and leave it unrun.
    try:
        raised = cls.__new__(cls, *args)
        raised.args = args
        return raised
    except Exception:
        return None


def _is_plain(attribute: str) -> bool:
    """Whether it is the program's to set: the shell's hook and the language's own names are not."""
    return attribute == "__notes__" or not attribute.startswith(("__", "_render_traceback_", "_ipython_"))


def _find_class(error: Error, namespace: Mapping[str, Any], source: str) -> type[BaseException] | None:
    found: Any
    first, *rest = (error.qualname or error.name).split(".")
    try:
        if error.module == "__main__":
            found = namespace[first]
        else:
            found = getattr(_module(error.module or "builtins", namespace, source), first)
        for part in rest:
            found = getattr(found, part)
    except Exception:
        return None
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


def _module(name: str, namespace: Mapping[str, Any], source: str) -> ModuleType:
    """A module the worker names. A strange one is not imported on its word alone: see ``values.trust``."""
    if name in sys.modules:
        return sys.modules[name]
    if name.partition(".")[0] in sys.stdlib_module_names - _PRANKS:
        return import_module(name)
    from ..values import Trust

    return Trust.of_worker(False, source, namespace).module(name)


def _decode_kept(error: Error) -> dict[str, Any]:
    """The exception's ``args`` and attributes; without what cannot be decoded here."""
    if error.args is None:
        return {}
    from ..values import Trust, decode

    try:
        trust = Trust.of_worker(False)
        for roots in (error.args["roots"], {"args": error.args["roots"]["args"]}):
            try:
                graph = {**error.args, "roots": roots}
                kept = dict(decode(graph, {}, allow_pickle=False, trust=trust).values)
            except Exception:
                continue
            args: Any = kept["args"]
            return {**kept, "args": tuple(args)}
    except Exception:
        pass
    return {}
