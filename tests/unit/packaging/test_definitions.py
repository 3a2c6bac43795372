"""Sources of what a notebook defined: found where they are true, never where they have gone stale."""

from __future__ import annotations

from typing import Any

import pytest

from cumulus_jupyter.packaging import NotebookDefinitions, notebook_of
from tests.unit.packaging.pages import NotebookPage


def source_of(page: NotebookPage, name: str) -> str | None:
    finder = notebook_of(page.shell).definitions
    finder.begin(page.names)
    definition = finder.find(page.names[name])
    return None if definition is None else definition.source


@pytest.mark.parametrize(
    ("cell", "name", "source"),
    [
        ("x = 1\n\ndef f(a):\n    return a\n\ny = 2", "f", "def f(a):\n    return a\n"),
        ("async def f(): pass", "f", "async def f(): pass\n"),
        ("if True:\n    def f():\n        return 1", "f", "def f():\n    return 1\n"),
        ("try:\n    pass\nfinally:\n    def f(): pass", "f", "def f(): pass\n"),
        ("def f(): 'é', 'ü'", "f", "def f(): 'é', 'ü'\n"),
        ("f = lambda a: a + 1", "f", "lambda a: a + 1"),
        ("f, g = lambda: 1, lambda: 1", "g", "lambda: 1"),
        ("f, g = lambda: 1, lambda: 2", "g", "lambda: 2"),
        ("call = lambda g: g\nf = (lambda: call(lambda a: a + 1))()", "f", "lambda a: a + 1"),
        ("f = (lambda: lambda: 1)", "f", "lambda: lambda: 1"),
        ("f = (lambda: lambda: 1)()", "f", "lambda: 1"),
        ("f = (lambda a=(lambda: 1): a)()", "f", "lambda: 1"),
        ("f = (lambda a:\n     a + 1)", "f", "lambda a: a + 1"),
        ("class A: pass", "A", "class A: pass\n"),
        ("class A:\n    n = 1\n    def m(self): return 1", "A",
         "class A:\n    n = 1\n    def m(self): return 1\n"),
        ("class A:\n    x: int\n    __slots__ = ('a', 'b')", "A",
         "class A:\n    x: int\n    __slots__ = ('a', 'b')\n"),
        ("class A:\n    def __init__(self): super().__init__()", "A",
         "class A:\n    def __init__(self): super().__init__()\n"),
        ("from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int = 0", "A",
         "@dataclass\nclass A:\n    x: int = 0\n"),
        ("import enum\nclass A(enum.Enum):\n    ONE = 1", "A", "class A(enum.Enum):\n    ONE = 1\n"),
        ("from typing import NamedTuple\nclass A(NamedTuple):\n    x: int", "A",
         "class A(NamedTuple):\n    x: int\n"),
        ("class A:\n    @property\n    def p(self): return 1\n    @classmethod\n    def c(cls): pass", "A",
         "class A:\n    @property\n    def p(self): return 1\n    @classmethod\n    def c(cls): pass\n"),
        ("import functools\n@functools.lru_cache\ndef f(): return 1", "f",
         "@functools.lru_cache\ndef f(): return 1\n"),
        ("def mark(f): return f\n@mark\ndef f(): return 1", "f", "@mark\ndef f(): return 1\n"),
        ("def f():\n    x = !ls\n    return x", "f",
         "def f():\n    x = get_ipython().getoutput('ls')\n    return x\n"),
    ],
)  # fmt: skip
def test_sources(page: NotebookPage, cell: str, name: str, source: str) -> None:
    page.run(cell)
    assert source_of(page, name) == source


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("def make():\n    n = 1\n    def inner(): return n\n    return inner\nf = make()", "f"),
        ("def make():\n    class A: pass\n    return A\nf = make()", "f"),
        ("exec('def f(): return 1')", "f"),
        ("def f(): return 1\ndef g(): return 2\nf.__code__ = g.__code__.replace(co_name='f')", "f"),
        ("class A:\n    def m(self): return 1\nA.m = lambda self: 2", "A"),
        ("class A:\n    def m(self): return 1\ndef n(self): pass\nA.n = n", "A"),
        ("f = type('A', (), {})", "f"),
        ("import json\nf = json.dumps", "f"),
    ],
)
def test_no_source_rather_than_a_wrong_one(page: NotebookPage, cell: str, name: str) -> None:
    page.run(cell)
    assert source_of(page, name) is None


def test_the_last_definition_is_found(page: NotebookPage) -> None:
    for number in (1, 2):
        page.run(f"class A: n = {number}")
        page.run(f"def f(): return {number}")
    assert source_of(page, "A") == "class A: n = 2\n"
    assert source_of(page, "f") == "def f(): return 2\n"


def test_an_older_definition_is_found_for_an_older_object(page: NotebookPage) -> None:
    page.run("class A:\n    def m(self): return 1")
    page.run("old = A")
    page.run("class A:\n    def m(self): return 2")
    assert source_of(page, "old") == "class A:\n    def m(self): return 1\n"


def test_a_definition_inside_a_cumulus_cell_is_found(page: NotebookPage) -> None:
    def cumulus(line: str, cell: str) -> None:
        exec(cell, page.names)

    page.shell.register_magic_function(cumulus, "cell")
    page.run("%%cumulus --gpu 1\nclass A: n = 5")
    definition: Any = notebook_of(page.shell).definitions.find(page.names["A"])
    assert (definition.source, definition.first_line) == ("class A: n = 5\n", 2)


def test_the_function_inside_a_decorated_one_is_not_decorated(page: NotebookPage) -> None:
    page.run("import functools\n@functools.lru_cache\ndef f(): return 1\ninner = f.__wrapped__")
    assert source_of(page, "inner") == "def f(): return 1\n"


def test_needs_and_calls(page: NotebookPage) -> None:
    page.run("base, k, default, deco = object, 1, 2, lambda c: c")
    page.run("@deco\nclass A(base):\n    x = k\n    def m(self, d=default): return other(len(d), A)")
    finder = NotebookDefinitions(notebook_of(page.shell).history)
    finder.begin(page.names)
    definition = finder.find(page.names["A"])
    assert definition is not None
    assert set(definition.needs) == {"deco", "base", "k", "default"}
    assert set(definition.calls) == {"other", "A"}
    assert (definition.name, definition.first_line) == ("A", 1)


def test_lines_are_those_of_the_notebook(page: NotebookPage) -> None:
    page.run("x = 1\n\n\ndef f():\n    return 1")
    definition: Any = notebook_of(page.shell).definitions.find(page.names["f"])
    assert definition.first_line == 4
    assert definition.filename == "<Cell In[1]>"


def test_objects_that_resist_are_left_alone(page: NotebookPage) -> None:
    page.run("class Proxy:\n    def __call__(self): 0\n    def __getattr__(self, n): raise RuntimeError(n)")
    page.run("proxy = Proxy()")
    assert source_of(page, "proxy") is None
