"""An exception from elsewhere is the same exception here, as far as that is safe."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from cumulus_jupyter.client.errors import (
    CellSyntaxError,
    RemoteError,
    Rendered,
    cell_syntax_error,
    exception_of,
)
from cumulus_jupyter.protocol.events import Error


def wire_args(*values: Any) -> dict[str, Any]:
    """Exception arguments as the runner encodes plain ones."""
    return {"version": 1, "nodes": [{"t": "tuple", "v": list(values)}], "roots": {"args": [0]}}


def made(name: str, value: str, *args: Any, module: str = "builtins", **names: Any) -> BaseException:
    error = Error(name, value, ["the traceback"], module, name, wire_args(*args))
    return exception_of(error, "job1", names)


def test_a_builtin_exception() -> None:
    raised = made("ValueError", "('bad', 3)", "bad", 3)
    assert type(raised) is ValueError and raised.args == ("bad", 3)
    assert str(raised.__cause__) == "\nthe traceback"
    assert raised.__dict__["_render_traceback_"]() == ["the traceback"]


def test_an_exception_of_the_system() -> None:
    raised = made("FileNotFoundError", "[Errno 2] gone: 'x'", 2, "gone", "x")
    assert isinstance(raised, OSError) and (raised.errno, raised.filename) == (2, "x")


def test_a_class_of_the_standard_library_is_imported() -> None:
    assert type(made("JSONDecodeError", "x", module="json.decoder")).__name__ == "JSONDecodeError"


class Awkward(Exception):
    """Has a constructor that does not take what it keeps."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(f"{code}: {detail}")


class Wrapping(Exception):
    """Says more with every construction."""

    def __init__(self, message: str) -> None:
        super().__init__(f"wrapped {message}")


@pytest.mark.parametrize(("cls", "said"), [(Awkward, "3: x"), (Wrapping, "wrapped x")])
def test_a_constructor_of_its_own_shape_is_left_unrun(cls: type[Exception], said: str) -> None:
    raised = made(cls.__name__, said, said, module="__main__", **{cls.__name__: cls})
    assert type(raised) is cls and str(raised) == said


def test_a_class_that_is_not_here_is_a_remote_error() -> None:
    raised = made("Strange", "odd", "odd", module="no_such_module_anywhere")
    assert isinstance(raised, RemoteError)
    assert (raised.name, raised.value, str(raised)) == ("Strange", "odd", "Strange: odd")


def test_a_worker_cannot_have_a_strange_module_imported() -> None:
    assert "antigravity" not in sys.modules
    assert isinstance(made("Error", "x", module="antigravity"), RemoteError)
    assert isinstance(
        made("CalledProcessError", "x", "x", module="nbformat_that_nobody_imported"), RemoteError
    )
    assert "antigravity" not in sys.modules


def test_what_is_no_exception_is_not_made() -> None:
    assert isinstance(made("Popen", "x", "x", module="subprocess"), RemoteError)
    assert isinstance(made("system", "x", "x", module="os"), RemoteError)
    assert subprocess.CalledProcessError  # the module is there; its class is just not an exception


def test_arguments_that_cannot_be_decoded_are_replaced_by_the_text() -> None:
    error = Error("ValueError", "text", ["t"], "builtins", "ValueError", {"broken": True})
    assert exception_of(error, "job1").args == ("text",)


def test_a_syntax_error_is_one_that_shows_where_it_was() -> None:
    assert isinstance(made("SyntaxError", "bad", "bad"), CellSyntaxError)


@pytest.mark.parametrize("kind", [SyntaxError, IndentationError, TabError])
def test_a_syntax_error_keeps_its_class_and_place(kind: type[SyntaxError]) -> None:
    place = ("Cell In[2]", 3, 5, "x = 3\n", 3, 9)
    shown = cell_syntax_error(kind("bad", place))
    assert isinstance(shown, CellSyntaxError) and isinstance(shown, kind)
    assert type(shown).__name__ == kind.__name__
    assert (shown.filename, shown.lineno, shown.offset, shown.text, shown.end_offset) == (*place[:4], 9)


def test_a_syntax_error_of_ones_own_stays_itself() -> None:
    class Own(SyntaxError):
        pass

    error = Own("bad")
    assert cell_syntax_error(error) is error


class Detailed(Exception):
    """Keeps what its arguments do not say."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def test_attributes_and_notes_come_along() -> None:
    graph = wire_args("bad")
    graph["roots"] = {"args": [0], "code": 3, "_render_traceback_": 1, "__class__": 2}
    error = Error("Detailed", "bad", ["t"], "__main__", "Detailed", graph)
    raised = exception_of(error, "job1", {"Detailed": Detailed})
    assert isinstance(raised, Detailed) and raised.code == 3
    assert isinstance(raised.__dict__["_render_traceback_"], Rendered) and "__class__" not in raised.__dict__


def test_an_attribute_that_cannot_be_decoded_takes_nothing_with_it() -> None:
    graph = wire_args("bad")
    graph["nodes"].append({"t": "no such thing"})
    graph["roots"] = {"args": [0], "odd": [1]}
    raised = exception_of(Error("ValueError", "bad", ["t"], "builtins", "ValueError", graph), "job1")
    assert type(raised) is ValueError and raised.args == ("bad",)


def test_a_traceback_outside_of_ipython_has_no_colours() -> None:
    error = Error("ValueError", "bad", ["\x1b[31mValueError\x1b[39m: bad"], "builtins", "ValueError", None)
    raised = exception_of(error, "job1")
    assert str(raised.__cause__) == "\nValueError: bad"
    assert raised.__dict__["_render_traceback_"]() == error.traceback
