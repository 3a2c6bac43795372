"""The named fallback: only where allowed, one object at a time, and sharing what it shares."""

from __future__ import annotations

import queue
import sys
from typing import Any

import numpy as np
import pytest

from cumulus_jupyter.protocol.errors import InvalidArgument
from cumulus_jupyter.values import EncodeOptions, decode, encode
from tests.unit.values.support import Job, travel


class Holder:
    """Importable, and none of the safe kinds."""

    def __init__(self, content: Any) -> None:
        self.content = content


def test_only_where_it_is_allowed() -> None:
    assert "x" in encode({"x": Holder(1)}).refused
    encoded = encode({"x": Holder(1), "y": [1]}, EncodeOptions(allow_pickle=True))
    assert encoded.pickled
    assert [report.encoding for report in encoded.reports] == ["pickle", "json"]
    assert not encode({"y": [1]}, EncodeOptions(allow_pickle=True)).pickled


def test_what_it_shares_stays_shared() -> None:
    shared, array = [1], np.zeros(100_000)
    job = Job({"h": Holder([shared, array]), "shared": shared, "array": array}, allow_pickle=True)
    assert job["h"].content[0] is job["shared"]
    assert job["h"].content[1] is job["array"]
    job["shared"].append(2)
    applied = job.back(pickle=True)
    assert applied["shared"] is shared
    assert shared == [1, 2]


def test_cycles_with_the_graph() -> None:
    ring: list[Any] = []
    ring.append(Holder(ring))
    job = Job({"ring": ring}, allow_pickle=True)
    assert job["ring"][0].content is job["ring"]


def test_unchanged_pickles_do_not_come_back_and_changed_ones_do() -> None:
    holder = Holder({"a": {1, "x"}})
    job = Job({"h": holder}, allow_pickle=True)
    assert job.changes().graph["roots"] == {}
    job["h"].content["a"] = 5
    assert set(job.changes().refused) == {"h"}
    applied = job.back(pickle=True)
    assert applied["h"].content == {"a": 5}


def test_large_buffers_are_blobs_of_their_own() -> None:
    array = np.zeros(100_000)
    encoded = encode({"h": Holder(array)}, EncodeOptions(allow_pickle=True))
    assert max(memoryview(blob).nbytes for blob in encoded.blobs.values()) == array.nbytes
    array[0] = 5
    graph, blobs = travel(encoded)
    found: Any = decode(graph, blobs, allow_pickle=True).values["h"]
    assert found.content[0] == 5
    found.content[1] = 1


def test_another_python_is_told_apart() -> None:
    encoded = encode({"h": Holder(1)}, EncodeOptions(allow_pickle=True))
    encoded.graph["nodes"][0]["py"] = [3, 4]
    here = ".".join(map(str, sys.version_info[:2]))
    with pytest.raises(InvalidArgument, match=rf"Python 3\.4, this is Python {here}"):
        decode(encoded.graph, encoded.blobs, allow_pickle=True)


def test_what_cannot_even_be_pickled_says_why() -> None:
    refused = encode({"q": queue.Queue()}, EncodeOptions(allow_pickle=True)).refused["q"]
    assert "cannot be pickled" in refused.reason
    assert refused.next


def test_a_pickle_is_let_go_without_a_word_in_a_cycle_too() -> None:
    encoded = encode({"x": Holder(1)}, EncodeOptions(allow_pickle=True))
    (blob,) = encoded.blobs.values()
    # A view of a buffer that could still be resized makes its collection an error.
    assert isinstance(memoryview(blob).obj, bytes)
