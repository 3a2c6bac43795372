"""The dry run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cumulus_jupyter.packaging import dry_run_report
from cumulus_jupyter.packaging.report import size_text
from tests.unit.packaging.pages import NotebookPage


def test_everything_is_told(page: NotebookPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "local_part.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    page.run(
        "import numpy as np\nbig = np.zeros(100_000)\nk = 3\ndef f(x): return x * k\ng = (i for i in [1])"
    )
    packaged = page.package("import local_part\ny = f(np.sum(big))\nnext(g)", report_only=True)
    report = dry_run_report(packaged)
    assert {(value.name, value.encoding) for value in report.values} == {
        ("f", "source"), ("k", "json"), ("big", "npy"),
    }  # fmt: skip
    assert report.imports == ("import numpy as np",)
    assert [file.path for file in report.files] == ["local_part.py"]
    assert [each.name for each in report.distributions] == ["numpy"]
    assert [(each.name, each.stops) for each in report.refused] == [("g", True)]
    assert report.outputs == ("local_part", "y")
    assert report.bundle_bytes > 800_000
    json.dumps(report.to_dict())
    text = str(report)
    for part in ("big  numpy.ndarray", "781 KiB", "local_part.py", "numpy 2", "Refused: g (generator)"):
        assert part in text


def test_plain_data_counts_as_it_is_sent(page: NotebookPage) -> None:
    page.run("texts = ['x' * 2000] * 200")
    packaged = page.package("len(texts)", report_only=True)
    (told,) = dry_run_report(packaged).values
    assert abs(told.size_bytes - len(json.dumps(packaged.program.graph))) < 100


def test_nothing_but_the_code(page: NotebookPage) -> None:
    assert str(dry_run_report(page.package("x = 1"))) == "Sent: nothing but the code\nComes back: x"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (64 << 20, "64 MiB"), (3 << 30, "3 GiB")],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text
