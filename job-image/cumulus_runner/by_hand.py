"""A folder of code run by hand: ``main()`` of its ``main.py``, the result as one line of JSON on stdout.

A process of its own runs the code, so that a crash of it is told like any other failure.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
import signal
import sys
import traceback
from typing import Any, Dict, List, Optional

from . import code_folder

_STOPPING = (signal.SIGTERM, signal.SIGINT)


class _Stopped(BaseException):
    """The process was asked to end."""


def run_folder(folder: str) -> int:
    """Run the code there, and print one line of JSON; what the code itself prints goes to stderr.

    The line is ``{"status": "success", "result": ...}`` or
    ``{"status": "error", "error": ..., "traceback": ...}``. Returns the exit status: 0 for success, else 1.
    """
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    answer = os.memfd_create("answer")
    # As the first process of a container this one is not even given a signal that it has no handler for:
    # those that come before both sides are ready wait for that.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    child = os.fork()
    if not child:
        os.close(stdout)
        signal.signal(signal.SIGTERM, _stop)
        line = _line_of(folder)
        with open(answer, "wb", closefd=False) as file:
            file.write(line)
        return 0
    for number in _STOPPING:
        signal.signal(number, lambda number, _frame: os.kill(child, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
    _, status = os.waitpid(child, 0)
    line = os.pread(answer, os.fstat(answer).st_size, 0) or _line(_failure(_end_of(status)))
    with open(stdout, "wb") as file:
        file.write(line)
    return 0 if line.startswith(b'{"status": "success"') else 1


def _line_of(folder: str) -> bytes:
    """Runs in the child, which takes signals from here on."""
    # Typed as any text stream; at the start of a process it is a wrapper that can be told.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
        with code_folder.ready(folder) as path:
            return _line({"status": "success", "result": _result_of(path)})
    except code_folder.Unusable as error:
        print(error, file=sys.stderr)
        return _line(_failure(str(error)))
    except BaseException as error:
        lines = _traceback(error)
        sys.stderr.writelines(lines)
        return _line(_failure(_words(error), lines))


def _result_of(path: str) -> Any:
    sys.argv = [os.path.join(path, "main.py")]
    module = importlib.import_module("main")
    if not callable(getattr(module, "main", None)):
        raise code_folder.Unusable("main.py has no function main(): define it, and return the result from it")
    result = module.main()
    return asyncio.run(result) if inspect.iscoroutine(result) else result


def _stop(number: int, _frame: object) -> None:
    raise _Stopped(signal.Signals(number).name)


def _line(answer: Dict[str, Any]) -> bytes:
    try:
        return json.dumps(answer, default=_plain, allow_nan=False).encode("ascii") + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise code_folder.Unusable(
            f"The result of main() can't be said in JSON: {error}."
            " Return numbers, text, lists and dicts of them"
        ) from None


def _plain(value: Any) -> Any:
    """numpy's scalars and arrays, and all that is like them, as JSON has them."""
    to_list = getattr(value, "tolist", None)
    if to_list is None:
        raise TypeError(f"it has a {type(value).__name__}")
    return to_list()


def _failure(error: str, lines: Optional[List[str]] = None) -> Dict[str, Any]:
    return {"status": "error", "error": error, "traceback": "".join(lines or [])}


def _words(error: BaseException) -> str:
    if isinstance(error, _Stopped):
        return f"Stopped by {error}"
    if isinstance(error, SystemExit):
        return f"main() ended the process: {error!r}"
    return "".join(traceback.format_exception_only(type(error), error)).strip()


def _traceback(error: BaseException) -> List[str]:
    """As Python writes it, without the frames before the user's own."""
    trace = error.__traceback__
    own = os.path.dirname(os.path.abspath(__file__))
    while trace is not None and (
        trace.tb_frame.f_code.co_filename.startswith((own, "<frozen importlib"))
        or trace.tb_frame.f_globals.get("__name__") == "importlib"
    ):
        trace = trace.tb_next
    return traceback.format_exception(type(error), error, trace)


def _end_of(status: int) -> str:
    """What became of a process that left no answer."""
    if not os.WIFSIGNALED(status):
        return f"main() ended the process, with exit code {os.WEXITSTATUS(status)}"
    name = signal.Signals(os.WTERMSIG(status)).name
    hint = ": most likely it was out of memory" if name == "SIGKILL" else ""
    return f"The process was ended by {name}{hint}"
