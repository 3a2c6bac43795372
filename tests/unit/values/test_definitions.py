"""The notebook's own functions and classes travel as source, with the state they have now."""

from __future__ import annotations

import functools
import inspect
import linecache
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from cumulus_jupyter.protocol.errors import InvalidArgument
from cumulus_jupyter.values import Definition, EncodeOptions, SourceFinder, decode, encode
from cumulus_jupyter.values.sources import is_known, names_read
from tests.unit.values.notebook import Notebook
from tests.unit.values.support import Job

CELL = '''\
import dataclasses, functools, math
K = 3
LOG = []

def helper(x):
    return x + K

def noted(function):
    @functools.wraps(function)
    def wrapper(*args):
        LOG.append(args)
        return function(*args)
    return wrapper

@noted
def area(r, unit={"m": 1}):
    """Of a disc."""
    return math.pi * r ** 2 * unit["m"]

class Base:
    seen = []
    def hello(self):
        return helper(self.width)

@dataclasses.dataclass
class Model(Base):
    width: int
    count = 0

    @property
    def double(self): return self.width * 2

    @staticmethod
    def apart(): return K

    def fail(self):
        raise ValueError(
            "here")

double = lambda x: x * 2; triple = lambda x: x * 3

if True:
    def inside(): return helper(1)

def recursive(n): return n and recursive(n - 1)

def outer():
    y = 5
    def closure(): return y
    return closure

async def later(): return K
def generate():
    yield from range(K)
'''


@pytest.fixture
def cell() -> Iterator[dict[str, Any]]:
    notebook = Notebook()
    yield notebook.run(CELL)
    notebook.forget()


def send(space: dict[str, Any], *names: str) -> Job:
    return Job({name: space[name] for name in names}, globals=space)


def test_a_function_takes_along_what_it_reads(cell: dict[str, Any]) -> None:
    job = send(cell, "helper")
    assert set(job.decoded.values) == {"helper", "K"}
    assert job["helper"](4) == 7
    job.namespace["K"] = 10
    assert job["helper"](4) == 14


def test_decorated_functions_are_decorated_again(cell: dict[str, Any]) -> None:
    job = send(cell, "area")
    assert job["area"](1) == pytest.approx(3.14159, abs=1e-4)
    assert job["LOG"] == [(1,)]
    applied = job.back(cell)
    assert applied["LOG"] is cell["LOG"]
    assert cell["LOG"] == [(1,)]


def test_classes_come_with_bases_methods_and_class_state(cell: dict[str, Any]) -> None:
    model = cell["Model"](4)
    cell["Model"].count = 2
    cell["Base"].seen.append("one")
    job = Job({"model": model, "again": [model]}, globals=cell)
    there = job["model"]
    assert (there.hello(), there.double, there.apart(), there.count, there.seen) == (7, 8, 3, 2, ["one"])
    assert there == type(there)(4)
    type(there).count += 1
    there.seen.append("two")
    there.width = 5
    job.back(cell)
    assert (model.width, cell["Model"].count, cell["Base"].seen) == (5, 3, ["one", "two"])
    assert type(model) is cell["Model"]


@pytest.mark.parametrize("name", ["double", "triple", "inside", "recursive", "later", "generate"])
def test_every_kind_of_function(cell: dict[str, Any], name: str) -> None:
    job = send(cell, name)
    found = job[name]
    assert found.__code__.co_code == cell[name].__code__.co_code
    assert found.__code__.co_firstlineno == cell[name].__code__.co_firstlineno
    if name in ("double", "triple", "recursive"):
        assert found(7) == cell[name](7)


def test_members_of_a_class_are_its_members_there(cell: dict[str, Any]) -> None:
    model = cell["Model"](4)
    sent = {"plain": cell["Model"].fail, "bound": model.hello, "static": cell["Model"].apart, "model": model}
    job = Job(sent, globals=cell)
    assert job["plain"] is type(job["model"]).fail
    assert job["bound"].__self__ is job["model"]
    assert job["bound"]() == 7
    assert job["static"]() == 3


def test_mutable_defaults_keep_their_state(cell: dict[str, Any]) -> None:
    Notebook().run("def cached(x, seen={}): seen[x] = 1; return len(seen)")
    function = cell["cached"]
    function("a")
    job = send(cell, "cached")
    assert job["cached"]("b") == 2
    job.back(cell)
    assert function("c") == 3


def test_tracebacks_and_inspect_show_the_lines(cell: dict[str, Any]) -> None:
    job = Job({"model": cell["Model"](1)}, globals=cell)
    with pytest.raises(ValueError, match="here") as caught:
        job["model"].fail()
    frame = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert "raise ValueError(" in (frame.line or "")
    assert frame.lineno == CELL[: CELL.index("raise ValueError(")].count("\n") + 1
    assert inspect.getsource(type(job["model"]).fail).strip().startswith("def fail")


def test_what_was_sent_can_be_found_and_sent_on(cell: dict[str, Any]) -> None:
    first = send(cell, "helper", "double")
    second = Job({name: first[name] for name in ("helper", "double")}, globals=first.namespace)
    assert second["helper"](1) == 4
    assert second["double"](1) == 2


def test_closures_have_no_source_of_their_own(cell: dict[str, Any]) -> None:
    closure = cell["outer"]()
    assert SourceFinder().find(closure) is None
    assert encode({"f": closure}).refused["f"].type_name == "function"
    job = Job({"f": closure}, allow_pickle=True, globals=cell)
    assert job["f"]() == 5


def test_an_object_that_cannot_be_sent_refuses_only_who_holds_it(cell: dict[str, Any]) -> None:
    Notebook().run("import threading\nLOCK = threading.Lock()\ndef locked():\n    with LOCK: return 1")
    encoded = encode({"locked": cell["locked"]}, EncodeOptions(globals=cell))
    assert set(encoded.refused) == {"LOCK"}
    assert "locked" in encoded.graph["roots"]


def test_a_given_source_of_definitions_is_asked() -> None:
    class Known:
        def find(self, obj: object) -> Definition:
            return Definition("f", "def f(): return 42\n")

    notebook = Notebook()
    exec("def f(): return 1", notebook.space)
    function = notebook.space["f"]
    notebook.forget()
    assert SourceFinder().find(function) is None
    assert Job({"f": function}, definitions=Known())["f"]() == 42


def test_a_definition_that_fails_is_named() -> None:
    node = {"t": "def", "name": "A", "source": "class A(Missing): pass", "file": "c", "line": 1, "needs": []}
    graph = {"version": 1, "nodes": [node], "roots": {"A": [0]}}
    with pytest.raises(InvalidArgument, match="A could not be defined again: NameError"):
        decode(graph, {}, allow_pickle=False)


def test_defining_binds_nothing_by_itself(cell: dict[str, Any]) -> None:
    encoded = encode({"alias": cell["helper"]}, EncodeOptions(globals={}))
    space: dict[str, Any] = {"__name__": "__main__"}
    decode(encoded.graph, {}, allow_pickle=False, namespace=space)
    assert "helper" not in space


def test_partials_lru_caches_and_builtins(cell: dict[str, Any]) -> None:
    Notebook().run("@functools.lru_cache(maxsize=3)\ndef slow(x): return x + K")
    sent = {"part": functools.partial(cell["helper"], 1), "slow": cell["slow"], "length": len, "cls": dict}
    job = Job(sent, globals=cell)
    assert job["part"]() == 4
    assert job["slow"](2) == 5
    assert job["slow"].cache_info().maxsize == 3
    assert job["length"] is len
    assert job["cls"] is dict


@pytest.mark.parametrize(
    ("source", "needs", "calls"),
    [
        ("def f(a, b=N): return a.data + g(b)", {"N"}, {"g"}),
        ("@deco(X)\ndef f(): x = 1; return [x + Y for x in Z]", {"deco", "X"}, {"Y", "Z"}),
        (
            "class A(B):\n    n = N\n    m = [i + Q for i in range(n)]\n    def f(self): return C",
            {"B", "N", "Q", "range"},
            {"C"},
        ),
        ("lambda x: x + K", set(), {"K"}),
        ("def f():\n    global total\n    total += 1", set(), {"total"}),
        ("def f():\n    def g(): return deep\n    return g", set(), {"deep"}),
    ],
)
def test_names_read(source: str, needs: set[str], calls: set[str]) -> None:
    found = names_read(source)
    assert needs <= set(found[0])
    assert calls <= set(found[1])
    assert not {"a", "b", "x", "data", "self"} & {*found[0], *found[1]}


def test_only_the_very_same_definition_is_known() -> None:
    cell = "x = 1\nif x:\n    def f(a):\n        # says\n        return a\ng = lambda y: y + 1\n"
    assert is_known("def f(a):\n    return a\n", "f", cell)
    assert is_known("lambda y: y + 1", "<lambda>", cell)
    assert not is_known("def f(a):\n    return a + 1\n", "f", cell)
    assert not is_known("x = 1", "x", cell)
    assert not is_known("def f(a):\n    return a\nprint()", "f", cell)
    assert not is_known("def f(a):\n    return a\n", "f", "")


def test_what_is_registered_with_a_generic_function_is_registered_there_and_here() -> None:
    notebook = Notebook()
    space = notebook.run(
        "import functools\n@functools.singledispatch\ndef show(x): return 'any'\n"
        "@show.register\ndef show_int(x: int): return 'int'"
    )
    job = Job({"show": space["show"], "functools": functools}, globals=space)
    assert [job["show"](x) for x in (1, "a", 2.0)] == ["int", "any", "any"]
    assert job.changes().graph["roots"] == {}
    notebook.forget()


def test_a_definition_is_known_by_its_name_too() -> None:
    notebook = Notebook()
    space = notebook.run("class Point:\n    def __init__(self): self.x = 1\nheld = [Point()]")
    job = Job({"held": space["held"]}, globals=space)
    assert job["Point"] is type(job["held"][0])
    assert "Other" not in Job({"held": space["held"]}, globals={**space, "Point": int, "Other": 1}).namespace
    notebook.forget()


def test_a_method_that_is_put_into_a_class_there_is_in_it_here() -> None:
    notebook = Notebook()
    space = notebook.run("class Bare:\n    def hello(self): return 1")
    job = Job({"Bare": space["Bare"]}, globals=space)
    source = "def more(self): return self.hello() + 1"
    exec(compile(source, "<more>", "exec"), job.namespace)
    linecache.cache["<more>"] = (len(source), None, [source], "<more>")
    job["Bare"].more = job["more"]
    job.back(space, source=source)
    assert space["Bare"]().more() == 2
    notebook.forget()
