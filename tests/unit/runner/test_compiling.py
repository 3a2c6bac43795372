"""Cells become code that knows its last expression and its lines."""

from __future__ import annotations

import pytest

from cumulus_runner.compiling import compile_cell, filename_of, title_of


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("1", True),
        ("x = 1\nx", True),
        ("x = 1", False),
        ("1;", False),
        ("1; # quiet", False),
        ("';'", True),
        ("print(1); 2", True),
        ("", False),
        ("# nothing", False),
        ("def f(): pass", False),
    ],
)
def test_last_expression(source: str, wanted: bool) -> None:
    assert (compile_cell(source, "<Cell>").last is not None) is wanted


def test_future_statements_hold_for_the_last_expression() -> None:
    cell = compile_cell("from __future__ import annotations\nlambda: 1", "<Cell>")
    assert cell.body is not None and cell.last is not None
    assert cell.body.co_flags & cell.last.co_flags & 0x1000000


def test_await_on_top() -> None:
    import inspect

    cell = compile_cell("await f()\nx = 1", "<Cell>")
    assert cell.body is not None and cell.body.co_flags & inspect.CO_COROUTINE


def test_lines_are_the_sources() -> None:
    with pytest.raises(SyntaxError) as caught:
        compile_cell("\n\nx = (", "<Cell In[1]>")
    assert caught.value.lineno == 3


def test_titles() -> None:
    assert title_of(filename_of("Cell In[3]")) == "Cell In[3]"
    assert title_of("/a/file.py") is None and title_of("<string>") is None
