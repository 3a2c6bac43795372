"""A value that stayed behind says what it is, and can be fetched or named in a later cell."""

from __future__ import annotations

from typing import Any

import pytest

from cumulus_jupyter.protocol.errors import FailedPrecondition, InvalidArgument
from cumulus_jupyter.values import RemoteValue, decode, encode, encode_changes


def value(**fields: Any) -> RemoteValue:
    given = {"size_bytes": 100 * 2**20, "reason": "too large", "stored": True, **fields}
    return RemoteValue("model", "job-1", "torch.Net", **given)


def test_it_says_type_size_why_and_the_way_out() -> None:
    text = repr(value())
    for part in ("torch.Net", "100.0 MiB", "job-1", "too large", ".fetch()"):
        assert part in text
    assert ".fetch(pickle=True)" in repr(value(pickled=True))
    assert "not kept" in repr(value(stored=False))
    bundle = value(bundle={"text/plain": "Net(5)", "text/html": "<b>Net</b>"})._repr_mimebundle_()
    assert bundle["text/html"] == "<b>Net</b>"
    assert bundle["text/plain"].startswith("Net(5)\n<RemoteValue")


def test_fetching(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FailedPrecondition, match="No relay"):
        value().fetch()
    monkeypatch.setattr(RemoteValue, "_fetcher", staticmethod(lambda *asked: asked))
    assert value().fetch() == ("job-1", "model", False)
    with pytest.raises(FailedPrecondition, match="runs code"):
        value(pickled=True).fetch()
    assert value(pickled=True).fetch(pickle=True) == ("job-1", "model", True)
    with pytest.raises(FailedPrecondition, match="not kept"):
        value(stored=False).fetch()


def test_a_later_cell_gets_the_value_itself() -> None:
    encoded = encode({"x": value(), "y": [value()]})
    big = {"w": [1.0]}
    decoded = decode(encoded.graph, {}, allow_pickle=False, fetch_remote=lambda job_id, name: big)
    assert decoded.values["x"] is big
    assert encode_changes(decoded, decoded.values).graph["roots"] == {}
    big["w"].append(2.0)
    assert set(encode_changes(decoded, decoded.values).graph["roots"]) == {"x", "y"}
    with pytest.raises(InvalidArgument, match="cannot be fetched"):
        decode(encoded.graph, {}, allow_pickle=False)
