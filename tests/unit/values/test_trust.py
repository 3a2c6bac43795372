"""What a worker sends may use what the notebook knows, and nothing beyond."""

from __future__ import annotations

import collections
import functools
import math
import os
from typing import Any

import pytest

from cumulus_jupyter.values import Trust, apply_changes, decode
from tests.unit.values.notebook import Notebook
from tests.unit.values.support import Job


def receive(*nodes: Any, source: str = "", namespace: dict[str, Any] | None = None) -> Any:
    graph = {"version": 1, "nodes": list(nodes), "roots": {"x": [0]}, "base": 0, "changed": []}
    return apply_changes(
        graph,
        {},
        {},
        allow_pickle=False,
        namespace={} if namespace is None else namespace,
        known_source=source,
    )


def name(module: str, qualname: str) -> dict[str, str]:
    return {"t": "name", "m": module, "q": qualname}


def definition(source: str) -> dict[str, Any]:
    return {"t": "def", "name": "f", "source": source, "file": "/etc/x", "line": 1, "needs": [], "calls": []}


def test_modules_only_where_the_notebook_imports_them() -> None:
    node = {"t": "module", "m": "json.tool"}
    assert "does not import" in receive(node).left_out["x"]
    assert receive(node, source="import json")["x"].__name__ == "json.tool"
    assert receive(node, source="from json import loads")["x"].__name__ == "json.tool"
    import json

    assert receive(node, namespace={"j": json})["x"].__name__ == "json.tool"


def test_what_a_known_module_has_of_another() -> None:
    join = name("posixpath", "join")
    assert "does not import" in receive(join, source="import json").left_out["x"]
    for source in (
        "from os.path import join",
        "import os.path as p",
        "from os import path",
        "import os.path",
    ):
        assert receive(join, source=source)["x"] is os.path.join
        assert receive({"t": "module", "m": "posixpath"}, source=source)["x"] is os.path
    assert receive(join, namespace={"p": os.path})["x"] is os.path.join
    assert receive(name("_functools", "reduce"), source="import functools")["x"] is functools.reduce
    assert "x" in receive(name("posixpath", "os.system"), source="import os.path").left_out


def test_plain_packages_are_always_there() -> None:
    assert receive(name("math", "sqrt"))["x"] is math.sqrt
    assert receive(name("collections", "Counter"))["x"] is collections.Counter


@pytest.mark.parametrize("sharp", ["eval", "exec", "open", "__import__", "getattr"])
def test_sharp_builtins_are_left_out(sharp: str) -> None:
    assert "x" in receive(name("builtins", sharp)).left_out
    assert receive(name("builtins", "len"))["x"] is len


def test_a_name_does_not_lead_through_a_module_to_another() -> None:
    assert "x" in receive(name("collections", "abc.sys.modules")).left_out


def test_only_the_cells_own_definitions_run() -> None:
    cell = "def f(a):\n    return a + 1\n"
    assert receive(definition(cell), source=cell)["x"](1) == 2
    evil = definition("@print\ndef f(a):\n    return a + 1\n")
    assert "does not hold" in receive(evil, source=cell).left_out["x"]
    assert "x" in receive(definition(cell)).left_out


def test_a_definition_from_a_worker_names_no_file_of_this_machine() -> None:
    cell = "x = 1\ndef f(a):\n    return a + 1\n"
    found = receive(definition("def f(a):\n    return a + 1\n"), source=cell)["x"]
    assert found.__code__.co_filename.startswith("<cumulus-")
    assert found.__code__.co_firstlineno == 2


def test_nothing_foreign_is_called_later() -> None:
    ddict = {"t": "ddict", "f": [1], "k": [], "v": []}
    assert "factory" in receive(ddict, name("os", "getcwd"), source="import os").left_out["x"]
    assert receive(ddict, name("builtins", "list"))["x"]["k"] == []
    part = {"t": "partial", "v": [[1], [2], [3]]}
    rest = [{"t": "tuple", "v": ["echo"]}, {"t": "dict", "k": [], "v": []}]
    assert "x" in receive(part, name("os", "system"), *rest, source="import os").left_out


def test_what_the_cell_defined_comes_back_and_works() -> None:
    cell = (
        "from functools import partial\n"
        "class A:\n    def __init__(self, n): self.n = n\n    def twice(self): return factor() * self.n\n"
        "def factor(): return 2\n"
        "a = A(4)\nadd = partial(max, 3)\nlow = lambda v: v - 1\n"
    )
    job = Job({})
    there = Notebook()
    before = set(there.space)
    there.run(cell)
    job.namespace.update({key: there.space[key] for key in set(there.space) - before})
    there.forget()
    here: dict[str, Any] = {"__name__": "__main__"}
    here.update(job.back(here, source=cell))
    assert here["a"].twice() == 8
    assert type(here["a"]) is here["A"]
    assert here["low"](3) == 2
    assert here["partial"] is functools.partial
    assert "add" not in here


def test_decoding_for_the_notebook_tells_what_is_left_out() -> None:
    graph = {"version": 1, "nodes": [name("os", "system")], "roots": {"x": [0], "y": 1}}
    decoded = decode(graph, {}, allow_pickle=False, trust=Trust.of_worker(False))
    assert decoded.values == {"y": 1}
    assert "os" in decoded.left_out["x"]


def test_one_bad_root_leaves_the_others() -> None:
    kept = [1]
    job = Job({"kept": kept})
    job["kept"].append(2)
    import wave

    job.namespace["foreign"] = wave.open
    job.namespace["holds"] = [wave.open, job["kept"]]
    applied = job.back()
    assert set(applied) == {"kept"}
    assert kept == [1, 2]
    assert set(applied.left_out) == {"foreign", "holds"}
