"""What stops a submission before anything is sent, and what it says."""

from __future__ import annotations

from typing import Any

import pytest

from cumulus_jupyter.packaging import PYTHON
from cumulus_jupyter.protocol.errors import InvalidArgument
from tests.unit.packaging.pages import NotebookPage, shipped


@pytest.mark.parametrize("cell", ["", "\n  \n", "# only a comment"])
def test_an_empty_cell(page: NotebookPage, cell: str) -> None:
    with pytest.raises(InvalidArgument, match="The cell is empty"):
        page.package(cell)


def test_an_unknown_name_with_a_suggestion(page: NotebookPage) -> None:
    page.run("learning_rate = 0.1")
    with pytest.raises(InvalidArgument) as caught:
        page.package("print(learning_rat)")
    assert caught.value.message == "name 'learning_rat' is not defined"
    assert caught.value.next == "Did you mean 'learning_rate'?"


@pytest.mark.parametrize(
    "cell",
    [
        "try: missing\nexcept NameError: pass",
        "if False: missing",
        "from math import *\nmissing",
        "exec('missing = 1')\nmissing",
        "for missing in []: pass\nmissing",
        "def f(): return missing",
        "f'{1:>{2}}'",
        "%load_ext x\n%no_such_magic\nmissing",
    ],
)
def test_names_that_may_yet_appear(page: NotebookPage, cell: str) -> None:
    page.package(cell)


@pytest.mark.parametrize(
    "cell", ["missing", "del missing", "x = [missing for i in range(3)]", "class A(missing): 0"]
)
def test_names_that_cannot(page: NotebookPage, cell: str) -> None:
    with pytest.raises(InvalidArgument, match="name 'missing' is not defined"):
        page.package(cell)


def test_a_syntax_error_is_on_the_notebooks_line(page: NotebookPage) -> None:
    with pytest.raises(SyntaxError) as caught:
        page.package("x = 1\ny = (", title="Cell In[2]", line_offset=1)
    assert (caught.value.lineno, caught.value.filename) == (3, "Cell In[2]")


@pytest.mark.parametrize(
    ("before", "cell", "says", "way_out"),
    [
        ("x = (i for i in [1])", "sum(x)", "x is a generator", "convert it to a list"),
        ("x = map(str, [1])", "list(x)", "", ""),
        ("import threading\nx = threading.Lock()", "x", "x is a", "Create it inside the cell"),
        (
            "import sqlite3\nx = sqlite3.connect(':memory:')",
            "x",
            "x is a sqlite3.Connection",
            "inside the cell",
        ),
        ("x = [1, (i for i in [1])]", "x", "holds something that cannot travel", ""),
        ("g = (i for i in [1])\ndef f(): return list(g)", "f()", "g (read by f) is a generator", "list"),
    ],
)
def test_values_that_cannot_be_sent(
    page: NotebookPage, before: str, cell: str, says: str, way_out: str
) -> None:
    page.run(before)
    if not says:
        assert shipped(page.package(cell)) == {"x"}
        return
    with pytest.raises(InvalidArgument) as caught:
        page.package(cell)
    assert says in caught.value.message
    assert way_out in caught.value.next


def test_several_refusals_come_together(page: NotebookPage) -> None:
    page.run("a = (i for i in [1]); b = (i for i in [2])")
    with pytest.raises(InvalidArgument) as caught:
        page.package("print(a, b)")
    assert "a is a generator" in caught.value.message
    assert "b is a generator" in caught.value.message


def test_a_value_the_cell_can_do_without_is_left_out(page: NotebookPage) -> None:
    page.run("x = (i for i in [1])\nflag = True")
    packaged = page.package("if flag: x = 1\nx")
    assert shipped(packaged) == {"flag"}
    assert set(packaged.left_out) == {"x"}


CLOSURE = "def make():\n    n = 1\n    def inner(): return n\n    return inner\nf = make()"


def test_pickles_need_the_same_python(page: NotebookPage) -> None:
    page.run(CLOSURE)
    packaged = page.package("f()", job_python=PYTHON)
    assert (packaged.pickled, packaged.python) == (True, PYTHON)
    with pytest.raises(InvalidArgument) as caught:
        page.package("f()", job_python="3.99")
    assert caught.value.message == (
        f"f is a function: needs pickle, but the job runs Python 3.99 and this is {PYTHON}"
    )


def test_what_needs_no_pickle_goes_to_another_python(page: NotebookPage) -> None:
    page.run("k = [1, 2]\ndef f(): return k")
    assert not page.package("f()", job_python="3.99").pickled


def test_pickles_can_be_forbidden(page: NotebookPage) -> None:
    page.run(CLOSURE)
    with pytest.raises(InvalidArgument, match="f is a function"):
        page.package("f()", allow_pickle=False)


def test_inputs_over_the_limit(page: NotebookPage) -> None:
    page.run("big = bytes(10_000)")
    with pytest.raises(InvalidArgument, match="big is a bytes: too large"):
        page.package("len(big)", input_limit_bytes=1000)


def test_report_only_tells_instead_of_raising(page: NotebookPage) -> None:
    page.run("x = (i for i in [1]); y = 2")
    packaged = page.package("print(x, y)", report_only=True)
    assert set(packaged.refused) == {"x"}
    assert shipped(packaged) == {"y"}


def test_an_unknown_input(page: NotebookPage) -> None:
    page.run("weights = 1")
    with pytest.raises(InvalidArgument) as caught:
        page.package("x = 1", inputs=("weight",))
    assert "weights" in caught.value.next


@pytest.mark.parametrize("function", [3, None, "f"])
def test_a_call_of_what_cannot_be_called(page: NotebookPage, function: Any) -> None:
    with pytest.raises(InvalidArgument, match="cannot be called"):
        page.call(function)
