"""What a program leaves, on its way to the supervisor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cumulus_jupyter import values
from cumulus_runner.leavings import _store
from cumulus_runner.streams import Console


class Notes(Console):
    """Keeps what is told the supervisor."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: list[Path] = []

    def note(self, note: Mapping[str, Any]) -> None:
        self.paths.append(Path(note["path"]))


def test_a_value_is_not_written_over_one_that_waits_to_be_sent(tmp_path: Path) -> None:
    """The first has been sent and removed, the second is on its way while the third is written."""
    console = Notes()
    encoded = {name: values.encode({name: name * 10}, values.EncodeOptions()) for name in "abc"}
    _store("a", encoded["a"], console, str(tmp_path))
    _store("b", encoded["b"], console, str(tmp_path))
    first, second = console.paths
    kept = second.read_bytes()
    first.unlink()
    _store("c", encoded["c"], console, str(tmp_path))
    assert console.paths[2] != second and second.read_bytes() == kept
