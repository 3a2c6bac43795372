"""numpy arrays: their bytes as they are, no copy on the way out, at most one on the way in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cumulus_jupyter.values import decode, encode, encode_changes, read_container, write_container
from tests.unit.values.support import Job, there

DTYPES = st.one_of(
    hnp.scalar_dtypes(),
    hnp.byte_string_dtypes(),
    hnp.unicode_string_dtypes(),
    hnp.array_dtypes(allow_subarrays=True),
)


def equal(a: Any, b: Any) -> bool:
    return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())


@given(hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, min_side=0, max_side=4)))
def test_an_array_is_the_same_there(value: Any) -> None:
    found = there(value)
    assert equal(found, value)
    assert found.flags.writeable


@pytest.mark.parametrize(
    "value",
    [
        np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1),
        np.asfortranarray(np.ones((3, 4))),
        np.arange(10)[::-2],
        np.broadcast_to(np.float32(2), (3, 2)),
        np.array("2020-01-01", "M8[D]"),
        np.array([1, 2], ">i4"),
        np.zeros(3, np.dtype([("a", "i1"), ("b", "f8", (2,))], align=True)),
        np.empty((0, 5), "f4"),
        np.empty((2, 0), "S3"),
    ],
    ids=str,
)
def test_layouts(value: Any) -> None:
    found = there(value)
    assert equal(found, value)
    if value.ndim > 1 and value.flags.f_contiguous:
        assert found.flags.f_contiguous


@pytest.mark.parametrize(
    "value",
    [
        np.float64(1.5),
        np.float32("nan"),
        np.int8(-1),
        np.bool_(True),
        np.datetime64("2020", "us"),
        np.str_("é"),
    ],
    ids=repr,
)
def test_scalars(value: Any) -> None:
    found = there([value])[0]
    assert type(found) is type(value)
    assert equal(found, value)


def test_records_dtypes_and_masks() -> None:
    record = np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")])[0]
    assert there(record) == record
    assert there(np.dtype("<M8[ns]")) == np.dtype("<M8[ns]")
    masked = np.ma.array([1, 2, 3], mask=[0, 1, 0], fill_value=9)
    found = there({"m": masked})["m"]
    assert found.tolist() == [1, None, 3]
    assert found.fill_value == 9


def test_texts_of_any_length_are_no_objects() -> None:
    assert encode({"x": np.array(["a"], np.dtypes.StringDType())}).refused
    found = there(np.array(["a", "long"], np.dtypes.StringDType()), allow_pickle=True)
    assert found.dtype == np.dtypes.StringDType() and found.tolist() == ["a", "long"]


def test_arrays_of_objects_keep_each_object() -> None:
    item = [1]
    array = np.empty((2, 2), object)
    array[0] = [item, item]
    array[1] = [(1, 2), array]
    found = there(array)
    assert found[0, 0] is found[0, 1]
    assert found[1, 0] == (1, 2)
    assert found[1, 1] is found


def test_read_only_stays_read_only() -> None:
    value = np.arange(3)
    value.flags.writeable = False
    assert not there(value).flags.writeable


def test_encoding_copies_nothing() -> None:
    value = np.zeros(1 << 20)
    blob = encode({"x": value}).blobs["b0"]
    value[5] = 7
    assert np.frombuffer(blob)[5] == 7
    columns = np.asfortranarray(np.zeros((100, 100)))
    assert np.shares_memory(np.frombuffer(encode({"x": columns}).blobs["b0"]), columns)


def test_changes_are_found_by_their_bytes_and_made_in_place() -> None:
    value, twin = np.zeros((50, 50)), np.zeros(3)
    job = Job({"x": value, "alias": value, "twin": twin})
    job["x"][49, 49] = -0.0
    applied = job.back()
    assert set(applied) == {"x", "alias"}
    assert applied["x"] is value
    assert np.signbit(value[49, 49])


def test_another_shape_or_type_is_another_array_here() -> None:
    value = np.zeros(6)
    holder = {"x": value}
    job = Job({"x": value, "holder": holder})
    job["x"].resize((12,), refcheck=False) if job["x"].flags.owndata else setattr(job["x"], "shape", (2, 3))
    applied = job.back()
    assert applied["x"].shape == job["x"].shape
    assert holder["x"] is applied["x"]


def test_a_mapped_blob_is_not_copied_and_stays_as_it_is(tmp_path: Path) -> None:
    value = np.arange(100_000.0)
    encoded = encode({"x": value})
    path = tmp_path / "values"
    write_container(path, encoded.graph, encoded.blobs)
    before = path.read_bytes()
    graph, blobs = read_container(path)
    decoded = decode(graph, blobs, allow_pickle=False)
    found: Any = decoded.values["x"]
    assert found.flags.aligned
    assert found.flags.writeable
    assert encode_changes(decoded, decoded.values).graph["roots"] == {}
    found[3] = -1
    assert set(encode_changes(decoded, decoded.values).graph["roots"]) == {"x"}
    assert path.read_bytes() == before
