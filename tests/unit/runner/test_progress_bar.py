"""Progress bars: events in a job, one line elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from cumulus_jupyter import progress


@pytest.fixture
def events() -> Iterator[list[Mapping[str, Any]]]:
    from cumulus_jupyter.progress_bar import set_hook

    seen: list[Mapping[str, Any]] = []
    set_hook(seen.append)
    yield seen
    set_hook(None)


def test_over_an_iterable(events: list[Mapping[str, Any]]) -> None:
    assert list(progress([1, 2, 3], label="work")) == [1, 2, 3]
    assert [(e["done"], e["total"], e["finished"]) for e in (events[0], events[-1])] == [
        (0, 3, False),
        (3, 3, True),
    ]
    assert len({e["id"] for e in events}) == 1


def test_by_hand(events: list[Mapping[str, Any]]) -> None:
    with progress(total=10, unit="MB") as bar:
        bar.advance(4)
        bar.update(9, label="nearly")
    assert (events[-1]["done"], events[-1]["label"], events[-1]["unit"]) == (9, "nearly", "MB")
    with pytest.raises(TypeError):
        list(progress())


def test_broken_off(events: list[Mapping[str, Any]]) -> None:
    for _ in progress(iter("abc")):
        break
    assert events[0]["total"] is None and events[-1]["finished"]


def test_a_line_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress([1, 2], label="work")) == [1, 2]
    shown = capsys.readouterr().err
    assert shown.startswith("\rwork:   0%") and shown.endswith("2/2\n")


def test_the_packages_name_is_always_the_function() -> None:
    import cumulus_jupyter
    from cumulus_jupyter import progress_bar

    assert cumulus_jupyter.progress is progress_bar.progress
