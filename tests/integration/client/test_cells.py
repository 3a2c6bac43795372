"""Cells behave elsewhere as they do here."""

from __future__ import annotations

from typing import Any

import pytest

from cumulus_jupyter import RemoteValue
from cumulus_jupyter.protocol.errors import CumulusError, InvalidArgument
from tests.patience import LIMIT_S

CELL = "%%cumulus\n"


def test_the_value_and_the_names(run: Any) -> None:
    assert run(CELL + "x = 20\nx + 1") == 21
    assert run("x, _") == (20, 21)


def test_changes_in_place_stay_in_place(run: Any) -> None:
    run("import numpy as np\nd = {'k': [1, 2]}\nalias = d['k']\narray = np.zeros(3)\nsame = array")
    run(CELL + "d['k'].append(3)\narray += 1")
    assert run("d, alias is d['k'], array.tolist(), same is array") == (
        {"k": [1, 2, 3]},
        True,
        [1, 1, 1],
        True,
    )


def test_functions_and_classes_travel_both_ways(run: Any) -> None:
    run("base = 10\ndef add(n): return n + base\nclass P:\n    def __init__(self, v): self.v = v")
    run(CELL + "def twice(n): return 2 * add(n)\nq = P(twice(1))")
    assert run("q.v, twice(2), type(q) is P") == (22, 24, True)


def test_output_in_order(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run(
        CELL
        + "import sys\nfrom IPython.display import display\nprint('one')\ndisplay('two')\nprint('three')\n"
        "!echo four\nprint('err', file=sys.stderr)"
    )
    shown = capsys.readouterr()
    assert shown.out == "one\n'two'\nthree\nfour\n" and shown.err == "err\n"


def test_an_exception_keeps_its_type_its_line_and_the_names_before_it(
    run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match="bad") as caught:
        run(CELL + "before = 1\nraise ValueError('bad', 3)")
    assert caught.value.args == ("bad", 3)
    assert run("before") == 1
    shown = capsys.readouterr().out
    assert "line 3" in shown and "----> 3 raise ValueError" in shown and "cumulus_jupyter" not in shown


def test_an_exception_class_of_the_cell_is_the_notebooks(run: Any, shell: Any) -> None:
    with pytest.raises(Exception, match="own") as caught:
        run(CELL + "class Mine(Exception): pass\nraise Mine('own')")
    assert type(caught.value) is shell.user_ns["Mine"]


def test_an_exception_keeps_what_it_was_given_beside_its_arguments(run: Any, shell: Any) -> None:
    run(
        "class Coded(Exception):\n"
        "    def __init__(self, text, code):\n        super().__init__(text)\n        self.code = code"
    )
    with pytest.raises(Exception, match="bad") as caught:
        run(CELL + "e = Coded('bad', 3)\ne.add_note('see there')\ne.lock = open\nraise e")
    assert isinstance(caught.value, shell.user_ns["Coded"])
    assert vars(caught.value)["code"] == 3 and caught.value.__notes__ == ["see there"]


def test_top_level_await_and_magics(run: Any) -> None:
    assert run(CELL + "import asyncio\nawait asyncio.sleep(0)\n%time 6 * 7") == 42


def test_deleted_names_and_globals(run: Any) -> None:
    run("gone = 1")
    run(CELL + "def f():\n    global made\n    made = 5\nf()\ndel gone")
    assert run("'gone' in globals(), made") == (False, 5)


def test_a_value_that_is_too_large_stays_and_can_be_named_later(run: Any, shell: Any) -> None:
    run("import numpy as np\n%cumulus config value_limit=1M")
    try:
        run(CELL + "big = np.ones(500_000)")
    finally:
        run("%cumulus config value_limit=64M")
    big = shell.user_ns["big"]
    assert isinstance(big, RemoteValue) and big.size_bytes is not None and big.size_bytes > 2**21
    assert run(CELL + "float(big.sum())") == 500_000.0
    assert big.fetch().sum() == 500_000.0  # type: ignore[attr-defined]


def test_an_array_comes_back_writable(run: Any) -> None:
    run("import numpy as np")
    run(CELL + "big = np.arange(2_000_000)")
    assert run("big[0] = 7; int(big[0] + big[-1])") == 2_000_006


def test_a_pickle_comes_back_only_where_that_was_asked_for(run: Any, shell: Any) -> None:
    run("import fractions, threading")
    source = "import ast\ntree = ast.parse('1 + 1')"
    run(CELL + source)
    assert isinstance(shell.user_ns["tree"], RemoteValue)
    run("%%cumulus --pickle\n" + source)
    assert type(shell.user_ns["tree"]).__name__ == "Module"


def test_a_dry_run_sends_nothing(run: Any, client: Any) -> None:
    before = [job.id for job in client.jobs()]
    run("a = [1, 2]")
    report = repr(run("%%cumulus --dry-run\nsum(a)"))
    assert "a" in report and "json" in report
    assert [job.id for job in client.jobs()] == before


def test_a_detached_cell(run: Any, shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run("%%cumulus --detach job --name later\nprint('said')\nw = 9\nw * 2")
    job = shell.user_ns["job"]
    assert job.result(LIMIT_S) == 18 and job.logs() == "said\n" and job.values() == {"w": 9}
    assert run("await job") == 18
    capsys.readouterr()
    assert run("%cumulus attach later") == 18
    assert capsys.readouterr().out.startswith("said\n") and run("w") == 9


def test_simulated_gpus(run: Any) -> None:
    run("%cumulus config simulated_gpus=1")
    run("%%cumulus --gpu 0.5\nshare = 1")
    assert "Simulated GPU" in repr(run("%cumulus workers"))
    job = run("%cumulus jobs -n 1").items[0]
    assert job.resources.gpu == 0.5 and job.devices[0].simulated


def test_a_process_that_dies_is_said_so(run: Any) -> None:
    with pytest.raises(CumulusError, match="exit status 3"):
        run(CELL + "import os\nos._exit(3)")


def test_a_requirement_that_is_not_there_is_named(run: Any) -> None:
    with pytest.raises(InvalidArgument, match="no-such-distribution-anywhere"):
        run("%%cumulus -r ./no-such-distribution-anywhere\n1")
