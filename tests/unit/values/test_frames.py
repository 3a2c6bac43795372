"""Frames of pandas and polars keep values, types, labels and order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from cumulus_jupyter.values import encode
from tests.unit.values.support import Job, there

MIXED = pd.DataFrame(
    {
        "int": [1, 2, 3],
        "float": [1.0, np.nan, -0.0],
        "text": ["x", None, "z"],
        "category": pd.Categorical(["u", "v", "u"], ["v", "u", "w"], ordered=True),
        "nullable": pd.array([1, None, 3], dtype="Int64"),
        "date": pd.date_range("2020", periods=3, unit="ns"),
        "zoned": pd.date_range("2020", periods=3, tz="Europe/Berlin"),
        "object": [[1], (2,), {3: None}],
        "delta": pd.timedelta_range("1s", periods=3),
        "bool": [True, False, True],
        "complex": [1 + 2j, 3, 4],
        "period": pd.period_range("2020", periods=3, freq="M"),
        "half": np.array([1, 2, 3], "f2"),
    }
)


@pytest.mark.parametrize(
    "frame",
    [
        MIXED,
        MIXED.iloc[:0],
        MIXED.iloc[::-1],
        MIXED.set_index(["int", "date"]),
        MIXED.set_index("text"),
        MIXED.set_index("zoned"),
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame([[1, "2"]], columns=[0, ("x", 1)]),
        pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["p", None])),
        pd.DataFrame(),
        pd.DataFrame(index=[3, 1]),
        pd.DataFrame(columns=["a", "b"]),
        pd.DataFrame(np.arange(12.0).reshape(3, 4)),
        pd.DataFrame({"t": pd.array(["a", None], dtype="string")}),
        pd.DataFrame({"v": [1, 2]}, index=pd.cut([1, 2], 2)),
        pd.DataFrame({"bin": pd.cut([1, 2, np.nan], 2), "q": pd.qcut([1, 2, 3], 3)}),
        pd.DataFrame({"m": pd.Categorical(pd.period_range("2020", periods=2, freq="M"))}),
        pd.DataFrame({"t": pd.array([[1], None], dtype=pd.ArrowDtype(pa.list_(pa.int64())))}),
    ],
)
def test_frames(frame: Any) -> None:
    pd.testing.assert_frame_equal(there(frame), frame, check_freq=True)


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(5, 0, -2, name="r"),
        pd.Index([1.5, 2], name=("a", 1)),
        pd.Index(["x", 1, None], dtype=object),
        pd.date_range("2020", periods=3, freq="MS", name="d"),
        pd.date_range("2020", periods=3, freq="h", tz="UTC"),
        pd.timedelta_range("1h", periods=2),
        pd.period_range("2020", periods=2, freq="Q"),
        pd.interval_range(0, 3, closed="left"),
        pd.CategoricalIndex(["a", "b"]),
        pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["x", "y"]),
    ],
    ids=lambda index: type(index).__name__,
)
def test_indexes(index: Any) -> None:
    pd.testing.assert_index_equal(there(index), index, exact=True)
    series = pd.Series(range(len(index)), index, name="s")
    pd.testing.assert_series_equal(there(series), series, check_freq=True)


@pytest.mark.parametrize(
    "scalar",
    [
        pd.Timestamp("2020-01-01 10:00"),
        pd.Timestamp("2020-07-01 10:00:00.123456789", tz="Europe/Berlin"),
        pd.Timedelta("1 days 00:00:00.5"),
        pd.Period("2020-01", "M"),
        pd.NaT,
        pd.NA,
    ],
    ids=repr,
)
def test_scalars(scalar: Any) -> None:
    found = there({"x": scalar})["x"]
    assert type(found) is type(scalar)
    assert repr(found) == repr(scalar)
    assert getattr(found, "unit", None) == getattr(scalar, "unit", None)


def test_a_frame_of_polars_changes_in_place() -> None:
    frame, series = pl.DataFrame({"a": [1]}), pl.Series("s", [1])
    job = Job({"frame": frame, "series": series})
    job["frame"].insert_column(1, pl.Series("b", [2]))
    job["series"][0] = 5
    back = job.back()
    assert back["frame"] is frame and back["series"] is series
    assert frame.to_dicts() == [{"a": 1, "b": 2}] and series.to_list() == [5]


def test_attributes_and_shared_objects() -> None:
    frame = MIXED.copy()
    frame.attrs = {"units": {"int": "m"}}
    job = Job({"frame": frame, "units": frame.attrs["units"], "first": frame["object"].iloc[0]})
    assert job["frame"].attrs == frame.attrs
    assert job["frame"].attrs["units"] is job["units"]
    assert job["frame"]["object"].iloc[0] is job["first"]


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.__setitem__("new", [7, 8, 9]),
        lambda frame: frame.loc.__setitem__((0, "float"), 5.0),
        lambda frame: frame.loc.__setitem__((0, "nullable"), 9),
        lambda frame: frame.loc.__setitem__((1, "text"), "now"),
        lambda frame: frame.pop("int"),
        lambda frame: setattr(frame, "columns", range(13)),
        lambda frame: frame["object"].iloc[0].append(2),
        lambda frame: frame.attrs.update(a=1),
        lambda frame: setattr(frame, "index", ["a", "b", "c"]),
    ],
)
def test_a_frame_changes_in_place(change: Any) -> None:
    frame = MIXED.copy()
    job = Job({"frame": frame, "holder": [frame], "other": MIXED})
    change(job["frame"])
    applied = job.back()
    assert {"frame", "holder"} <= set(applied)
    assert applied["frame"] is frame is applied["holder"][0]
    pd.testing.assert_frame_equal(frame, job["frame"])
    assert frame.attrs == job["frame"].attrs


def test_a_series_changes_in_place() -> None:
    series = pd.Series([1, 2], name="a")
    job = Job({"s": series})
    job["s"].iloc[0] = 5
    job["s"].name = "b"
    assert job.back()["s"] is series
    assert series.tolist() == [5, 2]
    assert series.name == "b"


def test_one_type_of_numbers_is_not_copied() -> None:
    values = np.zeros((1000, 8))
    frame = pd.DataFrame(values, copy=False)
    encoded = encode({"frame": frame})
    blob = encoded.blobs[encoded.graph["nodes"][0]["parts"]["blocks"][0]["b"]]
    assert memoryview(blob).nbytes == values.nbytes
    single = pd.DataFrame({"a": np.zeros(1000), "b": np.zeros(1000, "i4")})
    job = Job({"single": single})
    assert job["single"].dtypes.tolist() == single.dtypes.tolist()


def test_polars_and_arrow() -> None:
    frame = pl.DataFrame(
        {"a": [1, None], "t": ["x", "y"], "l": [[1], []], "c": pl.Series(["p", "q"], dtype=pl.Categorical)}
    )
    job = Job({"frame": frame, "series": frame["t"], "table": frame.to_arrow(), "same": frame})
    assert job["frame"].equals(frame)
    assert job["frame"].schema == frame.schema
    assert job["frame"] is job["same"]
    assert job["series"].name == "t"
    assert job["table"].equals(frame.to_arrow())
    assert job.changes().graph["roots"] == {}
    job["frame"][0, "a"] = 9
    applied = job.back()
    assert set(applied) == {"frame", "same"}
    assert applied["same"][0, "a"] == 9


def test_polars_objects_without_a_form_are_refused() -> None:
    assert "lazy" in encode({"lazy": pl.DataFrame({"a": [1]}).lazy()}).refused
