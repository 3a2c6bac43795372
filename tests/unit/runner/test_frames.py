"""The pipe between child and supervisor, whatever the pieces in which it is read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cumulus_runner.frames import ATOMIC_BYTES, MARK, STDERR, STDOUT, FrameReader, message_parts, text_parts


def read_back(data: bytes, piece: int) -> list[tuple[str, bytes]]:
    """What a reader makes of the bytes; texts of one stream joined."""
    found: list[tuple[str, bytes]] = []

    def text(stream: str, more: bytes) -> None:
        if found and found[-1][0] == stream:
            found[-1] = (stream, found[-1][1] + more)
        else:
            found.append((stream, more))

    reader = FrameReader(text, lambda payload: found.append(("message", payload)))
    for start in range(0, len(data), piece):
        reader.feed(data[start : start + piece])
    return found


@given(
    st.lists(st.tuples(st.sampled_from(["stdout", "stderr", "message"]), st.text(min_size=1))),
    st.integers(1, 50),
)
def test_whatever_is_written_is_read(written: list[tuple[str, str]], piece: int) -> None:
    data = b""
    expected: list[tuple[str, bytes]] = []
    for kind, text in written:
        payload = text.encode("utf-8", "replace")
        if kind == "message":
            data += b"".join(message_parts(payload, 7))
            expected.append((kind, payload))
            continue
        data += MARK + (STDOUT if kind == "stdout" else STDERR) + payload
        if expected and expected[-1][0] == kind:
            expected[-1] = (kind, expected[-1][1] + payload)
        else:
            expected.append((kind, payload))
    assert read_back(data, piece) == expected


def test_long_messages_of_several_senders_do_not_mix() -> None:
    one = list(message_parts(b"1" * 10_000, 1))
    two = list(message_parts(b"2" * 10_000, 2))
    mixed = b"".join(part for pair in zip(one, two, strict=True) for part in pair)
    assert read_back(mixed, 999) == [("message", b"1" * 10_000), ("message", b"2" * 10_000)]
    assert all(len(part) <= ATOMIC_BYTES for part in one)


@given(st.text(alphabet="aé€😀", min_size=1, max_size=200).map(lambda text: text * 50))
def test_marked_texts_cut_no_character(text: str) -> None:
    parts = list(text_parts(text.encode(), STDERR))
    assert all(len(part) <= ATOMIC_BYTES for part in parts)
    assert "".join(part[2:].decode() for part in parts) == text


def test_a_message_cut_short_is_forgotten() -> None:
    cut = list(message_parts(b"1" * 10_000, 1))[:2]
    whole = list(message_parts(b"2" * 10_000, 1))
    assert read_back(b"".join([*cut, *whole]), 1000) == [("message", b"2" * 10_000)]
