"""Bodies are handed on as they arrive, however the network cut them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulus_jupyter.client.response import ConnectionLost, Response


class Pieces:
    """A connection that receives what a test cut up."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._buffer = bytearray()
        self.pieces = pieces

    def receive(self, timeout_s: float | None) -> bool:
        if not self.pieces:
            raise ConnectionLost("the relay closed the connection")
        self._buffer += self.pieces.pop(0)
        return True


def cut(data: bytes, places: list[int]) -> list[bytes]:
    at = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in zip(at, at[1:], strict=False) if a < b]


def chunked(parts: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts if part) + b"0\r\n\r\n"


@given(st.lists(st.binary(max_size=40), max_size=6), st.lists(st.integers(0, 400), max_size=12))
def test_a_chunked_body_is_the_same_however_it_was_cut(parts: list[bytes], places: list[int]) -> None:
    connection = Pieces(cut(chunked(parts), places))
    response = Response(connection, 200, {"transfer-encoding": "chunked"})  # type: ignore[arg-type]
    assert response.read() == b"".join(parts)
    assert response.finished and response.keeps and not connection._buffer


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_a_body_of_known_length_ends_where_it_says(body: bytes, places: list[int]) -> None:
    connection = Pieces([*cut(body, places), b"next"])
    response = Response(connection, 200, {"content-length": str(len(body))})  # type: ignore[arg-type]
    assert response.read() == body
    assert response.finished


def test_a_body_without_length_ends_with_the_connection() -> None:
    connection = Pieces([b"abc", b"def"])
    response = Response(connection, 200, {})  # type: ignore[arg-type]
    assert response.read() == b"abcdef"
    assert not response.keeps


@pytest.mark.parametrize("headers", [{"content-length": "10"}, {"transfer-encoding": "chunked"}])
def test_a_body_that_breaks_off_is_an_error(headers: dict[str, str]) -> None:
    response = Response(Pieces([b"3\r\nabc\r\n"]), 200, headers)  # type: ignore[arg-type]
    with pytest.raises(ConnectionLost):
        response.read()


def test_the_end_of_a_stream_can_be_taken_later() -> None:
    connection = Pieces([b"3\r\nabc\r\n", b"0\r\n", b"\r\n"])
    response = Response(connection, 200, {"transfer-encoding": "chunked"})  # type: ignore[arg-type]
    assert response.read_some(None) == b"abc"
    assert not response.finished
    assert response.drain_tail() and response.finished


def test_an_answer_without_content_is_finished() -> None:
    assert Response(Pieces([]), 204, {}).finished  # type: ignore[arg-type]
    assert Response(Pieces([]), 200, {"content-length": "0"}).finished  # type: ignore[arg-type]
