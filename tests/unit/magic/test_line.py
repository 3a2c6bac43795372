"""The line of ``%%cumulus``: what it may say, and what is said about what it may not."""

from __future__ import annotations

import pytest

from cumulus_jupyter.options import OPTIONS, help_text, parse
from cumulus_jupyter.protocol.errors import InvalidArgument


def test_every_way_to_write_an_option() -> None:
    parsed = parse("--gpu 0.5 --name=fit -r numpy -rpandas --require 'a>=1, <2' --dry-run -i a,b -i c -o x")
    assert parsed.get("gpu") == "0.5"
    assert parsed.get("name") == "fit"
    assert parsed.get("require") == ["numpy", "pandas", "a>=1, <2"]
    assert parsed.get("dry_run") is True
    assert parsed.names("input") == ["a", "b", "c"]
    assert parsed.names("output") == ["x"]


def test_an_empty_line_asks_for_nothing() -> None:
    assert not parse("").values and not parse("   ").values
    assert parse("").names("input") is None


def test_a_negative_amount_is_a_value() -> None:
    assert parse("--gpu -1").get("gpu") == "-1"


def test_a_list_of_no_names_is_not_the_same_as_none() -> None:
    assert parse("-i ''").names("input") == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--gup 1", "Did you mean --gpu"),
        ("--frobnicate", "--help lists"),
        ("--gpu", "--gpu needs a value"),
        ("--gpu --cpu 1", "--gpu needs a value"),
        ("--gpu 1 --gpu 2", "given twice"),
        ("--dry-run=yes", "takes no value"),
        ("fit", "Unexpected word"),
        ("-x", "Unknown option: -x"),
        ("--name 'fit", "quotation mark"),
    ],
)
def test_a_mistake_is_named_with_the_way_out(line: str, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        parse(line)


@pytest.mark.parametrize("line", ["-i a-b", "-o 1x"])
def test_what_is_no_name_is_refused(line: str) -> None:
    with pytest.raises(InvalidArgument, match="is not a name"):
        parse(line).names("input" if "-i" in line else "output")


def test_the_help_lists_every_option() -> None:
    text = help_text()
    assert all(option.flag in text for option in OPTIONS)
