"""Containers keep order, identity and cycles, at any depth and size."""

from __future__ import annotations

from array import array
from collections import Counter, OrderedDict, defaultdict, deque
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulus_jupyter.values import encode
from tests.unit.values.support import Job, there
from tests.unit.values.test_atoms import ATOMS

KEYS = st.one_of(st.text(max_size=5), st.integers(), st.tuples(st.integers(), st.text(max_size=3)))
TREES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=5).map(tuple),
        st.dictionaries(KEYS, inner, max_size=5),
        st.frozensets(KEYS, max_size=5),
        st.sets(KEYS, max_size=5),
        st.lists(inner, max_size=3).map(deque),
        st.dictionaries(KEYS, inner, max_size=3).map(OrderedDict),
    ),
    max_leaves=20,
)


def shape(value: Any) -> Any:
    """Something to compare by: types, order and text of all that is in there."""
    if isinstance(value, dict):
        return type(value), [(shape(key), shape(item)) for key, item in value.items()]
    if isinstance(value, (set, frozenset)):
        return type(value), sorted((shape(item) for item in value), key=repr)
    if isinstance(value, (list, tuple, deque)):
        return type(value), [shape(item) for item in value]
    return type(value), repr(value)


@given(TREES)
def test_a_tree_is_the_same_there(value: Any) -> None:
    assert shape(there(value)) == shape(value)


@pytest.mark.parametrize(
    "value",
    [
        defaultdict(list, {"a": [1]}),
        Counter("hello"),
        deque([1, 2], maxlen=2),
        bytearray(b"abc"),
        array("d", [1.5, 2.5]),
        array("u", "text"),
        SimpleNamespace(a=1, b=[2]),
        {1: "int", "1": "text", None: 0, (1, 2): "pair", frozenset({1}): "set"},
        [True, 1, 1.0, 0.0, -0.0],
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.filterwarnings("ignore:The 'u' type code is deprecated")
def test_containers_of_the_standard_library(value: Any) -> None:
    found = there(value)
    assert found == value
    assert repr(found) == repr(value)


def test_two_names_of_one_object_stay_so() -> None:
    inner: list[Any] = [1]
    job = Job({"a": inner, "b": {"x": inner, "y": (inner, inner)}})
    assert job["a"] is job["b"]["x"] is job["b"]["y"][0] is job["b"]["y"][1]


def test_cycles_close_through_every_kind_of_container() -> None:
    ring: list[Any] = []
    ring.append((ring, {"ring": ring}, SimpleNamespace(ring=ring), deque([ring])))
    found = there(ring)
    row = found[0]
    assert row[0] is row[1]["ring"] is row[2].ring is row[3][0] is found


def test_a_cycle_can_be_entered_by_its_immutable_part() -> None:
    ring: list[Any] = []
    pair = (ring,)
    ring.append(pair)
    job = Job({"pair": pair, "ring": ring})
    assert job["pair"][0] is job["ring"]
    assert job["ring"][0] is job["pair"]


def test_depth_costs_no_recursion() -> None:
    deep: Any = []
    for _ in range(50_000):
        deep = [deep]
    pairs: Any = ()
    for _ in range(50_000):
        pairs = (pairs,)
    job = Job({"deep": deep, "pairs": pairs})
    for value in (job["deep"], job["pairs"]):
        depth = 0
        while value:
            value, depth = value[0], depth + 1
        assert depth == 50_000
    while deep:  # freeing it recursively would be the interpreter's own problem
        deep = deep.pop()


@pytest.mark.parametrize(
    ("items", "packed"),
    [
        (list(range(1000)), "q"),
        ([i / 7 for i in range(999)] + [float("nan")], "d"),
        ([f"text {i} \n é" for i in range(1000)], "s"),
        (["a\0b\nc\x1f"] * 1000, None),
        ([""] * 1000, "s"),
        (["\ud800"] * 1000, "s"),
        ([True, False] * 500, "?"),
        ([2**70] * 1000, None),
        ([1, 1.0] * 500, None),
        ([1, True] * 500, None),
    ],
)
def test_long_runs_of_one_type_are_packed(items: list[Any], packed: str | None) -> None:
    run = encode({"items": items}).graph["nodes"][0]["v"]
    assert (run["p"] if isinstance(run, dict) else None) == packed
    assert repr(there(items)) == repr(items)
    assert repr(there({"k": tuple(items)})) == repr({"k": tuple(items)})


def test_a_set_is_written_in_an_order_of_its_own() -> None:
    words = [f"word {i}" for i in range(500)]
    mixed: list[Any] = [*words[:5], 1, None, (1, 2)]
    for items in (words, mixed):
        graphs = [encode({"s": set(order)}).graph["nodes"][0] for order in (items, items[::-1])]
        assert graphs[0] == graphs[1]


def test_a_million_items_make_no_node_each() -> None:
    assert len(encode({"items": list(range(10**6))}).graph["nodes"]) == 1


def test_an_array_can_still_grow_while_it_is_encoded() -> None:
    numbers, raw = array("i", [1]), bytearray(b"1")
    encoded = encode({"numbers": numbers, "raw": raw})
    numbers.append(2)
    raw.append(50)
    assert encoded.blobs
