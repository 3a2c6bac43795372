"""What a job changes in place is changed here in place; what it leaves alone does not travel."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulus_jupyter.values import apply_changes, decode, encode, encode_changes
from tests.unit.values.support import Job, travel
from tests.unit.values.test_containers import TREES, shape


def test_nothing_changed_nothing_travels() -> None:
    job = Job({"a": [1, {2}], "b": {"x": (1, [2])}, "n": 5, "s": "x" * 5000, "z": float("nan")})
    changes = job.changes()
    assert changes.graph["roots"] == {}
    assert changes.graph["changed"] == changes.graph["nodes"] == []
    assert changes.blobs == {}


@pytest.mark.parametrize(
    ("value", "change"),
    [
        ([1, 2], lambda v: v.append(3)),
        ([1, 2], lambda v: v.clear()),
        (list(range(1000)), lambda v: v.__setitem__(500, 0)),
        ([1], lambda v: v.__setitem__(0, 1.0)),
        ([1], lambda v: v.__setitem__(0, True)),
        ([0.0], lambda v: v.__setitem__(0, -0.0)),
        ({"a": 1}, lambda v: v.update(b=2)),
        ({"a": 1, "b": 2}, lambda v: v.update(a=v.pop("a"))),
        ({1, 2}, lambda v: v.add(3)),
        (bytearray(b"abc"), lambda v: v.extend(b"d")),
        (bytearray(1000), lambda v: v.__setitem__(999, 1)),
        (deque([1], maxlen=3), lambda v: v.appendleft(0)),
        (SimpleNamespace(a=1), lambda v: setattr(v, "b", 2)),
    ],
)
def test_a_change_in_place_is_made_in_place_here(value: Any, change: Callable[[Any], Any]) -> None:
    job = Job({"x": value, "other": [0]})
    change(job["x"])
    applied = job.back()
    assert list(applied) == ["x"]
    assert applied["x"] is value
    assert shape(vars(value) if hasattr(value, "__dict__") else value) == shape(
        vars(job["x"]) if hasattr(value, "__dict__") else job["x"]
    )


def test_a_change_deep_inside_keeps_all_that_holds_it() -> None:
    inner = [1]
    pair = (inner, "p")
    outer = {"pair": pair, "same": inner}
    job = Job({"outer": outer, "pair": pair, "apart": [5]})
    job["outer"]["same"].append(2)
    applied = job.back()
    assert set(applied) == {"outer", "pair"}
    assert applied["outer"] is outer
    assert applied["pair"] is pair
    assert outer["pair"] is pair
    assert inner == [1, 2]


def test_a_new_name_of_an_old_object_is_that_object_here() -> None:
    a, b = [1], [2]
    job = Job({"a": a, "b": b})
    job.namespace.update(alias=job["a"], both=[job["a"], job["b"]], b=job["a"])
    applied = job.back()
    assert set(applied) == {"alias", "both", "b"}
    assert applied["alias"] is a
    assert applied["b"] is a
    assert applied["both"][0] is a
    assert applied["both"][1] is b


def test_new_objects_keep_their_aliases() -> None:
    job = Job({"a": [0]})
    new: list[Any] = []
    job.namespace.update(x=new, y={"x": new})
    job["a"].append(new)
    applied = job.back()
    assert applied["x"] is applied["y"]["x"] is applied["a"][1]


def test_atoms_that_change_type_are_changes() -> None:
    job = Job({"i": 1, "b": True, "f": 0.0, "t": "a", "same": 7})
    job.namespace.update(i=1.0, b=1, f=-0.0, t="b", same=7)
    applied = job.back()
    assert {name: repr(value) for name, value in applied.items()} == {
        "i": "1.0",
        "b": "1",
        "f": "-0.0",
        "t": "'b'",
    }


def test_swapped_elements_are_references_to_the_originals() -> None:
    a, b = [1], [2]
    pair = [a, b]
    job = Job({"pair": pair})
    job["pair"].reverse()
    job.back()
    assert pair[0] is b
    assert pair[1] is a


def test_without_originals_only_what_needs_them_is_left_out() -> None:
    job = Job({"a": [1], "b": [2]})
    job["b"].append(3)
    job.namespace.update(new=[4], mixed=[job["a"]])
    graph, blobs = travel(job.changes())
    applied = apply_changes(graph, blobs, {}, allow_pickle=False, namespace={})
    assert applied == {"b": [2, 3], "new": [4]}
    assert "earlier kernel" in applied.left_out["mixed"]


def test_full_changes_need_no_originals() -> None:
    job = Job({"a": [1, [2]], "b": [5]})
    job.namespace.update(mixed=[job["a"]])
    graph, blobs = travel(job.changes(full=True))
    applied = apply_changes(graph, blobs, {}, allow_pickle=False, namespace={})
    assert applied == {"mixed": [[1, [2]]]}
    assert applied.left_out == {}


def test_what_cannot_come_back_is_refused_alone() -> None:
    import threading

    lock = threading.Lock()
    job = Job({"a": [1], "b": [2]})
    job["a"].append(lock)
    job.namespace.update(c=lock, d=3)
    changes = job.changes()
    assert set(changes.refused) == {"a", "c"}
    assert "lock" in changes.refused["a"].reason
    assert "--pickle" in changes.refused["c"].next
    assert set(changes.graph["roots"]) == {"d"}


def test_what_changed_in_place_comes_back_beside_what_cannot() -> None:
    array = np.zeros(500)
    job = Job({"array": array, "other": np.ones(3)})
    job["array"][:] = 7
    job.namespace["lazy"] = (item for item in ())
    changes = job.changes()
    assert set(changes.refused) == {"lazy"} and len(changes.blobs) == 1
    graph, blobs = travel(changes)
    apply_changes(graph, blobs, job.encoded.originals, allow_pickle=False, namespace={})
    assert array.tolist() == [7] * 500


def test_a_value_over_the_limit_is_refused_with_its_size() -> None:
    job = Job({"a": [1]})
    job.namespace.update(big=bytes(3_000_000), small=b"x", holds=[bytes(2_000_000)])
    changes = job.changes(value_limit_bytes=1 << 20)
    assert set(changes.refused) == {"big", "holds"}
    assert changes.refused["big"].size_bytes is not None
    assert changes.refused["big"].size_bytes >= 3_000_000
    assert "too large" in changes.refused["big"].reason
    assert changes.blobs == {}


@given(TREES, TREES)
def test_whatever_a_job_puts_in_place_arrives(before: Any, after: Any) -> None:
    holder = {"value": before, "kept": [before]}
    job = Job({"holder": holder})
    job["holder"]["value"] = after
    job.back()
    assert shape(holder["value"]) == shape(after)
    assert shape(holder["kept"]) == shape([before])


def test_a_second_job_of_the_same_values_is_as_the_first() -> None:
    encoded = encode({"x": [1]})
    graph, blobs = travel(encoded)
    for _ in range(2):
        decoded = decode(graph, blobs, allow_pickle=False)
        assert encode_changes(decoded, decoded.values).graph["roots"] == {}


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8))
def test_random_edits_give_the_same_graph_here_and_there(edits: list[int]) -> None:
    shared: list[Any] = [0]
    here: dict[str, Any] = {"a": [shared], "b": {"s": shared}, "c": (shared, [shared])}
    job = Job(here)
    for edit in edits:
        if edit == 0:
            job["a"].append(job["b"])
        elif edit == 1:
            job["b"][f"k{len(job['b'])}"] = [job["a"]]
        elif edit == 2:
            job["c"][1].append(job["a"][0])
        else:
            job["a"][0].append(len(edits))
    here.update(job.back())
    assert encode(here).graph == encode({name: job[name] for name in here}).graph
    assert here["a"][0] is shared is here["c"][0]
