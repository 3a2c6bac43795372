"""A graph from the wire may be anything: it is refused as an invalid argument, and nothing else happens."""

from __future__ import annotations

import copy
import json
import pickle
import resource
import sys
from collections import namedtuple
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cumulus_jupyter.protocol.errors import InvalidArgument
from cumulus_jupyter.values import Trust, apply_changes, decode, encode
from tests.unit.values.support import travel

Pair = namedtuple("Pair", "a b")


def graph(*nodes: Any, root: Any = None) -> dict[str, Any]:
    return {"version": 1, "nodes": list(nodes), "roots": {"x": [0] if root is None else root}}


@pytest.mark.parametrize(
    "bad",
    [
        None,
        [],
        {},
        {"version": 2, "nodes": [], "roots": {}},
        {"version": 1, "nodes": {}, "roots": {}},
        {"version": 1, "nodes": [], "roots": []},
        {"version": 1, "nodes": [], "roots": {}, "base": "x"},
        {"version": 1, "nodes": [], "roots": {}, "changed": 5},
        {"version": 1, "nodes": [], "roots": {}, "changed": [[1]]},
        {"version": 1, "nodes": [], "roots": {}, "changed": [[[], {"t": "list", "v": []}]]},
        graph(5),
        graph({}),
        graph({"t": []}),
        graph({"t": "nonsense"}),
        graph({"t": "list"}),
        graph({"t": "list", "v": 5}),
        graph({"t": "list", "v": "abc"}),
        graph({"t": "list", "v": [[1]]}),
        graph({"t": "list", "v": [[-1]]}),
        graph({"t": "list", "v": [["0"]]}),
        graph({"t": "list", "v": [[1.0]]}),
        graph({"t": "list", "v": [[True]]}),
        graph({"t": "list", "v": [[]]}),
        graph({"t": "list", "v": [{}]}),
        graph({"t": "list", "v": [["int", "zz"]]}),
        graph({"t": "list", "v": [["datetime", None, 1]]}),
        graph({"t": "list", "v": [["nonsense", 1]]}),
        graph({"t": "list", "v": [["path", "__class__", "x"]]}),
        graph({"t": "list", "v": [["pd", "read_pickle", "x"]]}),
        graph({"t": "list", "v": [["np", "O", "AAAAAAAAAAA="]]}),
        graph({"t": "list", "v": {"p": "q", "b": "b0", "n": 1}}),
        graph({"t": "tuple", "v": [[0]]}),
        graph({"t": "tuple", "v": [[1]]}, {"t": "frozenset", "v": [[0]]}),
        graph({"t": "set", "v": [[1]]}, {"t": "list", "v": []}),
        graph({"t": "dict", "k": [1, 2], "v": [1]}),
        graph({"t": "dict", "k": [[1]], "v": [1]}, {"t": "list", "v": []}),
        graph({"t": "deque", "v": [], "m": "x"}),
        graph({"t": "bytes", "b": "gone"}),
        graph({"t": "bytes", "b": []}),
        graph({"t": "enum", "c": [1], "n": "x"}, {"t": "name", "m": "builtins", "q": "int"}),
        graph({"t": "inst", "c": [1], "k": [], "v": []}, {"t": "name", "m": "subprocess", "q": "Popen"}),
        graph({"t": "inst", "c": [1], "k": [], "v": []}, {"t": "name", "m": "builtins", "q": "dict"}),
        graph({"t": "inst", "c": 5, "k": [], "v": []}),
        graph({"t": "nt", "c": [1], "v": []}, {"t": "name", "m": "builtins", "q": "tuple"}),
        graph({"t": "name", "m": "os:system", "q": ""}),
        graph({"t": "name", "m": "os", "q": "no_such_thing"}),
        graph({"t": "name", "m": "../evil", "q": "x"}),
        graph({"t": "module", "m": "no_such_module_anywhere"}),
        graph({"t": "module", "m": 5}),
        graph({"t": "def", "name": "f", "source": "def g(): pass", "file": "c", "line": 1, "needs": []}),
        graph({"t": "def", "name": "f", "source": "def f(): pass", "file": "c", "line": 10**9, "needs": []}),
        graph({"t": "def", "name": "f", "source": "def f(): pass", "file": 7, "line": 1, "needs": []}),
        graph(
            {"t": "def", "name": "f", "source": "def f(", "file": "c", "line": 1, "needs": [], "calls": []}
        ),
        graph({"t": "ndarray", "d": "<f8", "shape": [10**12], "f": False, "b": "b0"}),
        graph({"t": "ndarray", "d": "<f8", "shape": [-1], "f": False, "b": "b0"}),
        graph({"t": "ndarray", "d": "O", "shape": [1], "f": False, "b": "b0"}),
        graph(
            {
                "t": "ndarray",
                "d": {"fields": [["a", "O", 0]], "size": 8, "align": False},
                "shape": [1],
                "b": "b0",
            }
        ),
        graph({"t": "ndobject", "shape": [10**12], "v": []}),
        graph({"t": "image", "mode": "RGB", "size": [10**6, 10**6], "b": "b0", "v": []}),
        graph({"t": "image", "mode": "RGB", "size": [1, 1], "b": "b0", "v": []}),
        graph({"t": "ndobject", "shape": [10**9], "v": {"p": "q", "b": "b0", "n": 10**9}}),
        graph({"t": "list", "v": [[n] for n in range(1, 9)]}, *[{"t": "bytes", "b": "b0"}] * 8),
        graph({"t": "polars", "of": "frame", "b": "b0"}),
        graph({"t": "pyarrow", "of": "Table", "b": "b0"}),
        graph({"t": "remote", "job": "j", "name": "n"}),
        graph({"t": "pickle", "b": "b0", "bufs": [], "py": [3, 11], "refs": []}),
    ],
    ids=lambda bad: json.dumps(bad)[:80],
)
def test_bad_graphs_are_invalid_arguments(bad: Any) -> None:
    with pytest.raises(InvalidArgument):
        decode(bad, {"b0": b"1234567"}, allow_pickle=False)


@pytest.mark.parametrize("kind", ["list", "tuple", "dict", "inst"])
def test_nesting_of_any_depth_is_only_long(kind: str) -> None:
    nodes: list[dict[str, Any]]
    if kind == "dict":
        nodes = [{"t": "dict", "k": ["k"], "v": [[n + 1]]} for n in range(30_000)]
    else:
        nodes = [{"t": "tuple" if kind == "tuple" else "list", "v": [[n + 1]]} for n in range(30_000)]
    nodes.append({"t": "list", "v": []})
    value = decode(graph(*nodes), {}, allow_pickle=False).values["x"]
    for _ in range(30_000):  # taken apart from the top, or freeing it would recurse
        value = value["k"] if kind == "dict" else value[0]  # type: ignore[index]
    assert value == []


@pytest.mark.parametrize("size", [0, 7, 9, 8 * 255])
def test_packed_runs_of_a_wrong_size(size: int) -> None:
    node = {"t": "list", "v": {"p": "q", "b": "b0", "n": 256}}
    with pytest.raises(InvalidArgument):
        decode(graph(node), {"b0": bytes(size)}, allow_pickle=False)


def test_nothing_is_made_for_what_a_graph_only_claims() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    image = {"t": "image", "mode": "RGB", "size": [20_000, 20_000], "b": "b0", "v": []}
    with pytest.raises(InvalidArgument, match="20000 x 20000 with 7 bytes"):
        decode(graph(image), {"b0": b"1234567"}, allow_pickle=False)
    far = {**graph({"t": "list", "v": []}, root=[1 << 50]), "base": 1 << 60}
    assert apply_changes(far, {}, {}, allow_pickle=False, namespace={}) == {}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


@pytest.mark.parametrize(
    ("package", "node"),
    [
        ("polars", {"t": "polars", "of": "frame", "b": "b0"}),
        ("PIL.Image", {"t": "image", "mode": "L", "size": [1, 1], "b": "b0", "v": []}),
    ],
)
def test_what_needs_a_package_that_is_not_here_is_left_out_alone(
    package: str, node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    told = {**graph(node, {"t": "list", "v": [1]}), "roots": {"x": [0], "other": [1]}}
    applied = apply_changes(told, {"b0": b"1"}, {}, allow_pickle=False, namespace={})
    assert applied == {"other": [1]}
    needed = f"it needs the package {package.partition('.')[0]}, which is not installed here"
    assert applied.left_out == {"x": needed}


def test_a_graph_of_changes_is_no_graph_to_decode() -> None:
    changes = {**graph({"t": "list", "v": [[3]]}, root=[4]), "base": 4}
    assert decode(changes, {}, allow_pickle=False, trust=Trust.of_worker(False)).left_out.keys() == {"x"}


def test_a_pickle_is_not_loaded_unasked(tmp_path: Any) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return open, (str(tmp_path / "touched"), "w")

    node = {"t": "pickle", "b": "b0", "bufs": [], "py": [3, 11], "refs": []}
    with pytest.raises(InvalidArgument, match="pickle") as caught:
        decode(graph(node), {"b0": pickle.dumps(Evil())}, allow_pickle=False)
    assert "inside the cell" in caught.value.next
    applied = apply_changes(
        graph(node), {"b0": pickle.dumps(Evil())}, {}, allow_pickle=False, namespace={}, known_source="x = 1"
    )
    assert applied == {}
    assert "pickle" in applied.left_out["x"]
    assert not (tmp_path / "touched").exists()


SAMPLE, SAMPLE_BLOBS = travel(
    encode(
        {
            "a": [1, (2, "x"), {3, 4}, {"k": [5]}],
            "n": np.arange(300).reshape(3, 100),
            "s": [f"t{i}" for i in range(300)],
            "p": Pair(1, [2]),
            "e": ValueError("no"),
            "f": pd.DataFrame({"a": [1, 2], "b": ["x", None]}, index=["i", "j"]),
            "i": Image.new("RGB", (2, 2)),
            "o": np.array([1, "x"], object),
        }
    )
)
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 50),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=3),
    st.lists(st.integers(-1, 30), max_size=3),
    st.sampled_from(
        ["list", "tuple", "ndarray", "frame", "inst", "b0", "b3", [0], [5], {}, {"p": "q", "b": "b0", "n": 3}]
    ),
)


def places(node: Any) -> list[tuple[Any, Any]]:
    found = []
    items = list(node.items()) if isinstance(node, dict) else list(enumerate(node))
    for key, value in items:
        found.append((node, key))
        if isinstance(value, (dict, list)):
            found.extend(places(value))
    return found


@settings(max_examples=150)
@given(st.data())
def test_a_sound_graph_with_junk_in_it_is_read_or_refused(data: st.DataObject) -> None:
    bad = copy.deepcopy(SAMPLE)
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from(places(bad)))
        holder[key] = copy.deepcopy(data.draw(JUNK))
    for trust in (None, Trust.of_worker(False)):
        try:
            decode(bad, SAMPLE_BLOBS, allow_pickle=False, trust=trust)
        except InvalidArgument:
            pass
    try:
        apply_changes(bad, SAMPLE_BLOBS, {0: [1], 3: {"k": 2}}, allow_pickle=False, namespace={})
    except InvalidArgument:
        pass


@settings(max_examples=100)
@given(st.data())
def test_broken_blobs_are_read_or_refused(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(SAMPLE_BLOBS)))
    blob = bytearray(SAMPLE_BLOBS[name])
    if data.draw(st.booleans()):
        del blob[data.draw(st.integers(0, len(blob))) :]
    elif blob:
        blob[data.draw(st.integers(0, len(blob) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        decode(SAMPLE, {**SAMPLE_BLOBS, name: bytes(blob)}, allow_pickle=False)
    except InvalidArgument:
        pass
