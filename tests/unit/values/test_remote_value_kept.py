"""A value that was not kept over there cannot be named in a later cell."""

from __future__ import annotations

from cumulus_jupyter import values


def test_a_value_that_was_not_kept_is_refused_with_the_reason() -> None:
    lost = values.RemoteValue("g", "job1", "generator", reason="a generator has no safe encoding")
    encoded = values.encode({"g": lost}, values.EncodeOptions(allow_pickle=True))
    assert "g" not in encoded.graph["roots"]
    assert "was not kept in job job1" in encoded.refused["g"].reason


def test_a_value_that_was_kept_travels_by_name() -> None:
    kept = values.RemoteValue("big", "job1", "numpy.ndarray", stored=True)
    encoded = values.encode({"big": kept}, values.EncodeOptions())
    assert {"t": "remote", "job": "job1", "name": "big"} in encoded.graph["nodes"]
