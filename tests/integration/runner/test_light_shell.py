"""A program that needs nothing of IPython runs without it, and can't tell; one that does has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.runner_relay import FakeJob, FakeRelay
from tests.fakes.served_runner import result_values
from tests.fakes.single_runner import run_alone

#: In a comment, it has the whole shell made at once.
WHOLE = "# IPython\n"
IMPORTED = "import sys\nprint(any(name == 'I' + 'Python' for name in tuple(sys.__dict__['mod' 'ules'])))\n"


def _both(relay: FakeRelay, folder: Path, source: str, **options: Any) -> tuple[FakeJob, FakeJob]:
    """The same cell with the light shell and with the whole one."""
    return run_alone(relay, folder, source, **options), run_alone(relay, folder, WHOLE + source, **options)


def test_plain_cells_do_not_import_it(relay: FakeRelay, tmp_path: Path) -> None:
    job = run_alone(relay, tmp_path, "import json, numpy\n" + IMPORTED + "x = 6 * 7\nx")
    assert job.text("stdout") == "False\n" and result_values(job)["@result"] == 42


@pytest.mark.parametrize(
    "source",
    [
        "%time 1\n",
        "!echo shell\n",
        "display(1)\n",
        "get_ipython().run_line_magic('pwd', '')\n",
        "import tqdm\n",
        "import traitlets\n",
        "from IPython.display import HTML\nHTML('<b>x</b>')\n",
    ],
)
def test_cells_that_need_it_have_it(relay: FakeRelay, tmp_path: Path, source: str) -> None:
    job = run_alone(relay, tmp_path, source + IMPORTED)
    assert job.text("stdout").endswith("True\n")
    assert job.outcome is not None and job.outcome["state"] == "COMPLETED"


@pytest.mark.parametrize(
    "source",
    [
        "def f(n):\n    return 1 / n\nf(0)",
        "raise SystemExit(3)",
        "x = 1 +\n",
        "try:\n    {}['a']\nexcept KeyError as error:\n    raise ValueError('b') from error",
        "import asyncio\nasync def f():\n    raise ValueError('x')\nawait f()",
        "exit(0)",
        "raise ExceptionGroup('g', [ValueError(1)])",
    ],
)
def test_errors_look_the_same(relay: FakeRelay, tmp_path: Path, source: str) -> None:
    light, whole = _both(relay, tmp_path, source)
    moved = [_shifted(job) for job in (light, whole)]
    assert moved[0] == moved[1]
    assert light.outcome is not None and whole.outcome is not None
    assert light.outcome["state"] == whole.outcome["state"]
    assert light.outcome["message"].split(" (")[0] == whole.outcome["message"].split(" (")[0]


def _shifted(job: FakeJob) -> list[tuple[str, str, int]]:
    """What the errors say, without the numbers of lines, which differ by one."""
    return [(e["name"], e["value"].split(" (")[0], len(e["traceback"])) for e in job.of_type("error")]


def test_the_surroundings_are_the_same(relay: FakeRelay, tmp_path: Path) -> None:
    """Asked by code that nobody can read beforehand."""
    source = (
        "import sys, os\n"
        "ask = getattr(__import__('built' + 'ins'), 'ev' + 'al')\n"
        "found = ask('glo' + 'bals()')\n"
        "known = {'open', 'exit', 'quit', 'get_ipython', '_d' + 'h', '_i' + 'h', '_o' + 'h'}\n"
        "known |= {'I' + 'n', 'O' + 'ut', '__builtin' + '__', '__builtin' + 's__'}\n"
        "print({name: type(found[name]).__name__ for name in sorted(set(found) - known)})\n"
        "print([path for path in sys.path if path != os.getcwd()], sys.argv, __name__, __doc__)\n"
        "print(os.environ['MPLBACKEND'], hasattr(sys, 'p' + 's1'))\n"
    )
    light, whole = _both(relay, tmp_path, source)
    assert light.text("stdout").replace("False", "True") == whole.text("stdout") != light.text("stdout")


def test_taken_over_in_the_middle_nothing_is_lost_or_added(relay: FakeRelay, tmp_path: Path) -> None:
    source = "_ = 5\ndisplay('shown')\ny = _ + 1\nfrom traitlets import Int\nz = y"
    light, whole = _both(relay, tmp_path, source)
    assert [e["data"] for e in light.of_type("display")] == [{"text/plain": "'shown'"}]
    assert light.result["deleted"] == whole.result["deleted"] == []
    assert result_values(light).keys() >= {"y", "z"}
    assert {r["name"] for r in light.result["remote"]} == {r["name"] for r in whole.result["remote"]}
    assert {**result_values(light), "Int": 0} == {**result_values(whole), "Int": 0}


def test_figures_are_shown(relay: FakeRelay, tmp_path: Path) -> None:
    light, whole = _both(relay, tmp_path, "import matplotlib.pyplot as plt\nplt.plot([1, 2]);")
    for job in (light, whole):
        assert [sorted(e["data"]) for e in job.of_type("display")] == [["image/png", "text/plain"]]


def test_values_that_stay_behind_show_themselves(relay: FakeRelay, tmp_path: Path) -> None:
    source = (
        "import threading\nlock = threading.Lock()\nclass C:\n    def __reduce__(self): raise TypeError('no')"
    )
    light, whole = _both(relay, tmp_path, source)
    assert [(r["name"], sorted(r["bundle"])) for r in light.result["remote"]] == [("lock", ["text/plain"])]
    assert whole.result["remote"][0]["reason"] == light.result["remote"][0]["reason"]
