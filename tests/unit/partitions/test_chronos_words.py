"""The words of chronos_cli, this project's and upstream's."""

from __future__ import annotations

import pytest

from cumulus_server.partitions import chronos_words as words
from cumulus_server.partitions.remote import Answer


@pytest.mark.parametrize(
    ("printed", "id"),
    [
        ("Created partition partition_0001\n", "partition_0001"),
        ("Created partition partition_644_1795298200394_0001", "partition_644_1795298200394_0001"),
        ("Created partition stub_partition_3.\n", "stub_partition_3"),
        ("\x1b[32m✓\x1b[0m Created partition: \x1b[1mpartition_7_8_9\x1b[0m for 3600 s", "partition_7_8_9"),
        ("=== Chronos ===\n✅ Created partition 'partition_0042' on device 0\n", "partition_0042"),
        ("Partition created successfully!\n  Partition ID: partition_1_2_3\n", "partition_1_2_3"),
        ("created partition ID: partition_9\n", "partition_9"),
        ("Created partition p-17\n", "p-17"),
        ("Nothing happened\n", ""),
        ("", ""),
    ],
)
def test_the_id_of_a_new_partition_in_upstreams_words(printed: str, id: str) -> None:
    assert words.created_id(Answer(0, None, printed)) == id


def test_the_id_of_a_new_partition_as_json() -> None:
    assert words.created_id(Answer(0, {"partition": "partition_1_2_3"})) == "partition_1_2_3"
    assert words.created_id(Answer(0, {}, "Created partition partition_1")) == ""


@pytest.mark.parametrize(("tenths", "fraction"), [(1, "0.1"), (3, "0.3"), (10, "1")])
def test_a_share_is_asked_for_in_tenths(tenths: int, fraction: str) -> None:
    assert words.create_words(2, tenths, 60) == ["create", "2", fraction, "60"]


@pytest.mark.parametrize("key", ["", "job", "job-", "-1", "job-x", "job-１"])
def test_a_key_that_names_no_attempt(key: str) -> None:
    assert words.attempt_of(key) == ("", 0)


def test_a_key_names_its_attempt() -> None:
    assert words.attempt_of(words.key_of("job-with-dashes", 12)) == ("job-with-dashes", 12)


def test_a_list_is_read_and_upstreams_is_not() -> None:
    told = {
        "partition": "partition_1", "device": 1, "fraction": 0.3, "remaining_s": 5, "owner": "r", "key": "j-2"
    }  # fmt: skip
    (entry,) = words.entries(Answer(0, {"partitions": [told]})) or ()
    assert (entry.job_id, entry.attempt, entry.index, entry.tenths) == ("j", 2, 1, 3)
    assert words.entries(Answer(0, None, "ID  DEVICE\npartition_1  0")) is None


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(1, {"error": {"code": "REFUSED", "message": "only 0.2 is left"}}), "only 0.2 is left"),
        (Answer(1, None, "", "Error: Failed to create partition\n"), "Failed to create partition"),
        (Answer(1, None, "not enough memory\n", ""), "not enough memory"),
        (Answer(127), "chronos_cli ended with status 127"),
    ],
)
def test_why_a_command_failed(answer: Answer, message: str) -> None:
    assert words.error_message(answer) == message


def test_a_partition_that_is_gone() -> None:
    assert words.is_gone(Answer(1, {"error": {"code": "NOT_FOUND", "message": "x"}}))
    assert words.is_gone(Answer(1, None, "", "Error: Partition not found"))
    assert not words.is_gone(Answer(1, {"error": {"code": "UNAVAILABLE", "message": "not found"}}))
