"""Atoms stand inline, and are the same on the other side, type and all."""

from __future__ import annotations

import datetime as dt
import math
import pathlib
import uuid
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.values.support import there

ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(st.characters(codec=None, exclude_categories=()), max_size=50),
    st.binary(max_size=600),
    st.decimals(),
    st.fractions(),
    st.uuids(),
    st.dates(),
    st.times(),
    st.datetimes(timezones=st.sampled_from([None, dt.UTC, ZoneInfo("Europe/Berlin")])),
    st.timedeltas(),
)


@given(ATOMS)
def test_an_atom_is_the_same_there(value: Any) -> None:
    found = there(value)
    assert type(found) is type(value)
    assert repr(found) == repr(value)


@pytest.mark.parametrize(
    "value",
    [
        10**5000,
        -(2**53),
        2**53 - 1,
        -0.0,
        math.inf,
        -math.inf,
        5e-324,
        "\ud800 alone",
        "NUL \0 and \u2028",
        "long " * 1000,
        "long \ud800" * 1000,
        b"\0" * 513,
        ...,
        NotImplemented,
        range(5, -(10**30), -3),
        slice(1, None, 2),
        slice("a", [1]),
        Decimal("sNaN"),
        Decimal("-0E+7"),
        Fraction(-(10**40), 7),
        uuid.UUID(int=5),
        pathlib.Path("a/b"),
        pathlib.PurePosixPath("/x"),
        pathlib.PureWindowsPath("c:/x"),
        dt.timezone(dt.timedelta(hours=2), "here"),
        dt.timezone(dt.timedelta(minutes=-5)),
        dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
        dt.time(1, 2, 3, 4, tzinfo=dt.UTC),
    ],
    ids=lambda value: type(value).__name__,
)
def test_rare_atoms(value: Any) -> None:
    found = there(value)
    assert type(found) is type(value)
    assert repr(found) == repr(value) if not isinstance(value, int) else found == value


def test_a_subclass_is_not_taken_for_the_type_itself() -> None:
    class Text(str):
        """Of this test's own."""

    from cumulus_jupyter.values import encode

    assert encode({"x": Text("a")}).refused["x"].type_name.endswith("Text")
