"""Instances are rebuilt from their state where that is safe, and no constructor runs."""

from __future__ import annotations

import collections
import dataclasses
import enum
import random
import subprocess
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pytest

from cumulus_jupyter.values import encode
from tests.unit.values.notebook import Notebook
from tests.unit.values.support import Job, there


class Colour(enum.Enum):
    RED = 1
    BLUE = "b"


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: int
    y: Any = None


Pair = namedtuple("Pair", "a b")


@dataclass
class Box:
    content: Any
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Fixed:
    value: int


class Custom(Exception):
    def __init__(self, code: int, *, hint: str = "") -> None:
        super().__init__(f"code {code}")
        self.code, self.hint = code, hint


class Plain:
    """Importable, and none of the safe kinds."""


@pytest.mark.parametrize(
    "value", [Colour.RED, Right.READ | Right.WRITE, Point(1, [2]), Pair(1, "b"), Box({"a": 1}), Fixed(3)]
)
def test_safe_kinds(value: Any) -> None:
    found = there(value)
    assert type(found) is type(value)
    assert found == value


def test_exceptions_keep_arguments_attributes_and_cause() -> None:
    error = Custom(5, hint="try again")
    error.__cause__ = FileNotFoundError(2, "no such file", "x.txt")
    found = there(error)
    assert (type(found), found.args, found.code, found.hint) == (Custom, ("code 5",), 5, "try again")
    assert found.__cause__.filename == "x.txt"
    assert found.__cause__.errno == 2
    decoding = there(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"))
    assert decoding.reason == "bad"
    assert there(KeyError("k")).args == ("k",)
    syntax = there(SyntaxError("bad", ("cell", 3, 1, "x =")))
    assert syntax.lineno == 3


def test_other_importable_classes_have_no_safe_encoding() -> None:
    refused = encode({"x": [Plain()]}).refused["x"]
    assert "Plain" in refused.reason
    assert refused.type_name == "list"


def test_instances_change_in_place() -> None:
    box = Box([1])
    job = Job({"box": box, "same": [box]})
    job["box"].tags.append("t")
    job["box"].content = {"new": job["box"]}
    applied = job.back()
    assert applied["box"] is box
    assert box.tags == ["t"]
    assert box.content["new"] is box


@pytest.fixture
def cell() -> Iterator[dict[str, Any]]:
    notebook = Notebook()
    yield notebook.run(CELL)
    notebook.forget()


CELL = """\
class Slotted:
    __slots__ = ("a", "__b", "unset")
    def __init__(self, a, b): self.a, self.__b = a, b
    def b(self): return self.__b

class Both(Slotted):
    def __init__(self): super().__init__(1, 2); self.c = 3

class Stateful:
    def __init__(self): self.open = object(); self.n = 1
    def __getstate__(self): return {"n": self.n}
    def __setstate__(self, state): self.__dict__.update(state); self.open = "again"

class Keyed:
    def __init__(self, key): self.key = key
    def __hash__(self): return hash(self.key)
    def __eq__(self, other): return self.key == other.key

class Loud:
    def __init__(self): raise RuntimeError("constructed")
    def __del__(self): pass

class Reduced:
    def __reduce__(self): return (Reduced, ())

class Careful:
    def __init__(self): object.__setattr__(self, "n", 1)
    def __setattr__(self, name, value): raise TypeError("read-only")
    def __getattr__(self, name): raise RuntimeError("asked for " + name)
"""


def test_instances_of_the_notebooks_classes(cell: dict[str, Any]) -> None:
    sent = {"slotted": cell["Slotted"]([1], 2), "both": cell["Both"](), "stateful": cell["Stateful"]()}
    job = Job(sent, globals=cell)
    assert (job["slotted"].a, job["slotted"].b(), hasattr(job["slotted"], "unset")) == ([1], 2, False)
    assert (job["both"].a, job["both"].b(), job["both"].c) == (1, 2, 3)
    assert (job["stateful"].n, job["stateful"].open) == (1, "again")
    job["slotted"].a.append(2)
    job["both"].c = 4
    applied = job.back(cell)
    assert sent["slotted"].a == [1, 2]
    assert applied["both"] is sent["both"]
    assert sent["both"].c == 4


def test_members_of_a_set_are_complete_before_they_are_hashed(cell: dict[str, Any]) -> None:
    key = cell["Keyed"]("k")
    job = Job({"s": {key}, "f": frozenset({key}), "d": {key: 1}, "key": key}, globals=cell)
    assert job["key"] in job["s"]
    assert job["key"] in job["f"]
    assert job["d"][job["key"]] == 1


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_members_of_each_others_sets(cell: dict[str, Any], order: str) -> None:
    a, b = cell["Keyed"]("a"), cell["Keyed"]("b")
    a.near, b.near, a.labels = {b}, {a}, {b: "b"}
    job = Job({name: {"a": a, "b": b}[name] for name in order}, globals=cell)
    assert job["a"] in job["b"].near and job["b"] in job["a"].near and job["a"].labels[b] == "b"


def test_classes_made_of_plain_ones(cell: dict[str, Any]) -> None:
    Notebook().run(
        "from typing import Generic, TypeVar\n"
        "class Degrees(float): unit = 'C'\n"
        "class Name(str): pass\n"
        "class Row(tuple): pass\n"
        "class Cell(Generic[TypeVar('T')]): pass"
    )
    degrees, inner = cell["Degrees"](1.5), [1]
    degrees.seen = inner
    sent = {
        "d": degrees,
        "n": cell["Name"]("x" * 3000),
        "r": cell["Row"]([inner, 2]),
        "g": cell["Cell"][int](),
    }
    job = Job(sent, globals=cell)
    assert (job["d"] + 1, job["d"].unit, job["d"].seen is job["r"][0]) == (2.5, "C", True)
    assert (len(job["n"]), type(job["n"]).__name__, type(job["r"]).__name__) == (3000, "Name", "Row")
    job["r"][0].append(2)
    job.namespace["more"] = type(job["d"])(7)
    back = job.back(cell)
    assert (inner, back["more"], type(back["more"]) is cell["Degrees"]) == ([1, 2], 7.0, True)
    assert back.get("d", degrees) is degrees and back.get("r", sent["r"]) is sent["r"]


def test_importable_classes_whose_state_is_data() -> None:
    process = subprocess.CompletedProcess(["x"], 3, "out")
    found = there({"c": collections.ChainMap({"a": 1}, {"b": [2]}), "p": process})
    assert found["c"]["b"] == [2] and vars(found["p"]) == vars(process)


def test_marks_and_methods_of_hidden_objects_are_what_their_module_has() -> None:
    shared = [dataclasses.KW_ONLY, random.randint, random.random, np.random.rand]
    assert all(a is b for a, b in zip(there(shared), shared, strict=True))


def test_a_foreign_bases_own_state_is_left_to_pickle(cell: dict[str, Any]) -> None:
    Notebook().run("import pandas\nclass Frame(pandas.DataFrame): pass")
    assert "x" in encode({"x": cell["Frame"]({"a": [1]})}).refused
    job = Job({"x": cell["Frame"]({"a": [1]})}, allow_pickle=True, globals=cell)
    assert job["x"]["a"].tolist() == [1]


def test_no_constructor_and_no_setter_runs(cell: dict[str, Any]) -> None:
    loud = object.__new__(cell["Loud"])
    job = Job({"loud": loud, "careful": cell["Careful"]()}, globals=cell)
    assert type(job["loud"]).__name__ == "Loud"
    assert job["careful"].__dict__ == {"n": 1}


def test_an_own_way_of_pickling_is_left_to_pickle(cell: dict[str, Any]) -> None:
    assert "x" in encode({"x": cell["Reduced"]()}).refused
    job = Job({"x": cell["Reduced"](), "C": cell["Reduced"]}, allow_pickle=True, globals=cell)
    assert type(job["x"]) is job["C"]


def test_an_object_that_fails_while_it_is_read_is_refused_by_name(cell: dict[str, Any]) -> None:
    Notebook().run(
        "class Broken:\n"
        "    def __getstate__(self): raise OSError('gone')\n"
        "    def __setstate__(self, s): pass"
    )
    refused = encode({"x": cell["Broken"](), "y": 1}).refused["x"]
    assert "OSError: gone" in refused.reason
