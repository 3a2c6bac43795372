"""tqdm's bars in a job: text as everywhere, and Progress events beside it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.runner_relay import FakeJob, FakeRelay
from tests.fakes.served_runner import ServedRunner
from tests.fakes.single_runner import run_alone

#: A program that waits until its bars have been told of, so that the next one is not one of too many.
PAUSE = "import time\ntime.sleep(0.6)\n"


def bars(job: FakeJob) -> list[tuple[str, float, float | None, bool]]:
    """Of every Progress event: label, done, total, finished."""
    return [
        (event["label"], event["done"], event["total"], event["finished"])
        for event in job.of_type("progress")
    ]


def ids(job: FakeJob) -> set[str]:
    return {event["id"] for event in job.of_type("progress")}


def quiet(job: FakeJob) -> bool:
    """Nothing was warned of or shown, and it went well."""
    assert job.outcome and job.outcome["state"] == "COMPLETED", job.said()
    assert not job.of_type("display", "update_display", "error")
    return "arn" not in job.text("stderr") and not job.text("stdout")


@pytest.mark.parametrize("module", ["tqdm", "tqdm.std", "tqdm.auto", "tqdm.autonotebook", "tqdm.notebook"])
def test_every_way_to_a_bar(runner: ServedRunner, module: str) -> None:
    job = runner.run(
        f"from {module} import tqdm\nfor _ in tqdm(range(3), desc='work', mininterval=0): pass\ndel tqdm"
    )
    assert bars(job)[0] == ("work", 0, 3, False) and bars(job)[-1] == ("work", 3, 3, True)
    assert len(ids(job)) == 1 and quiet(job)
    assert "work: 100%" in job.text("stderr") and "3/3" in job.text("stderr") and "\r" in job.text("stderr")


@pytest.mark.parametrize("source", ["", "# IPython\n"])
def test_in_a_container(relay: FakeRelay, tmp_path: Path, source: str) -> None:
    job = run_alone(
        relay, tmp_path, source + "from tqdm.auto import trange\nfor _ in trange(3): pass\ndel trange"
    )
    assert bars(job)[-1] == ("", 3, 3, True) and quiet(job)


def test_a_notebooks_bar_takes_what_it_takes_there(runner: ServedRunner) -> None:
    job = runner.run(
        "from tqdm.notebook import tqdm, trange, tnrange, tqdm_notebook\n"
        "import tqdm.notebook as module\n"
        "with tqdm(total=4, ncols='80%', display=False, colour='green', disable=None) as bar:\n"
        "    bar.update(2)\n"
        "    bar.display(bar_style='danger')\n"
        "    bar.reset(total=2)\n"
        "    bar.update(2)\n"
        "assert '2/2' in repr(bar.container) and isinstance(bar, tqdm_notebook)\n"
        "for _ in trange(2): pass\n"
        "assert list(tnrange(2, disable=True)) == [0, 1]\n"
        "%reset -f\n"
    )
    assert quiet(job) and bars(job)[-1] == ("", 2, 2, True)


def test_a_notebooks_bar_that_finds_itself_in_a_notebook(runner: ServedRunner) -> None:
    """As where the code has imported ipykernel for some other reason, with ipywidgets or without."""
    for missing in ("", "sys.modules['ipywidgets'] = None\n"):
        job = runner.run(
            "import sys, warnings\n"
            "warnings.simplefilter('error')\n"
            f"{missing}"
            "sys.modules['ipykernel.zmqshell'] = sys\n"
            "from tqdm.auto import tqdm\n"
            "for _ in tqdm(range(3)): pass\n"
            "%reset -f\n"
        )
        assert quiet(job) and bars(job)[-1] == ("", 3, 3, True)


def test_a_disabled_bar_is_none(runner: ServedRunner) -> None:
    job = runner.run(
        "from tqdm import tqdm\n"
        "for _ in tqdm(range(3), disable=True): pass\n"
        "for _ in tqdm(range(3), disable=None): pass\n"
        "for _ in tqdm(range(3), delay=60): pass\n"
        "del tqdm"
    )
    assert not bars(job) and quiet(job)


def test_nested_bars(runner: ServedRunner) -> None:
    """The outer one is what a card shows, whatever the inner ones do."""
    job = runner.run(
        "import time\n"
        "from tqdm.auto import tqdm\n"
        "for epoch in tqdm(range(3), desc='epochs'):\n"
        "    for batch in tqdm(range(4), desc='batches', leave=False, mininterval=0):\n"
        "        time.sleep(0.05)\n"
        "del tqdm, time"
    )
    assert quiet(job)
    unfinished: dict[str, str] = {}
    for event in job.of_type("progress"):
        unfinished.pop(event["id"], None)
        if not event["finished"]:
            unfinished[event["id"]] = event["label"]
        if event["label"] == "epochs":
            assert not unfinished or list(unfinished.values())[-1] == "epochs"
    assert {label for label, *_ in bars(job)} == {"epochs", "batches"}
    assert bars(job)[-1] == ("epochs", 3, 3, True)
    inner = [number for number, (label, *_) in enumerate(bars(job)) if label == "batches"]
    assert all(any(label == "epochs" for label, *_ in bars(job)[number + 1 :]) for number in inner)


def test_no_more_than_four_times_a_second(runner: ServedRunner) -> None:
    begin = time.monotonic()
    job = runner.run(
        "from tqdm import tqdm\n"
        "for _ in range(300):\n"
        "    for _ in tqdm(range(200), mininterval=0): pass\n"
        "del tqdm"
    )
    seconds = time.monotonic() - begin
    # One bar of many at each time: that it is over, and the next one.
    assert len(bars(job)) <= (seconds * 4 + 2) * 3


def test_labels_units_and_large_numbers(runner: ServedRunner) -> None:
    job = runner.run(
        "from tqdm import tqdm\n"
        "with tqdm(total=3_000_000_000, unit='B', unit_scale=True, unit_divisor=1024) as bar:\n"
        "    bar.set_description('\\x1b[31mdownload\\x1b[0m')\n"
        "    bar.update(1_500_000_000)\n"
        f"{PAUSE}"
        "with tqdm(unit='file', desc='found') as bar: bar.update(7)\n"
        f"{PAUSE}"
        "with tqdm(total=10, unit_scale=0.5) as bar: bar.update(4)\n"
        f"{PAUSE}"
        "with tqdm(total=float('inf')) as bar: bar.update(float('nan'))\n"
        "%reset -f\n"
    )
    ends = [event for event in job.of_type("progress") if event["finished"]]
    assert [(e["label"], e["done"], e["total"], e["unit"]) for e in ends] == [
        ("download", 1.4, 2.79, "GB"),
        ("found", 7, None, "file"),
        ("", 2, 5, ""),
    ]
    assert job.outcome and job.outcome["state"] == "COMPLETED"


def test_an_error_ends_a_bar(runner: ServedRunner) -> None:
    job = runner.run(
        "from tqdm import tqdm\nfor n in tqdm(range(3), desc='work', mininterval=0): 1 / (n - 1)"
    )
    assert job.error["name"] == "ZeroDivisionError" and "cumulus_runner" not in "".join(
        job.error["traceback"]
    )
    kinds = job.kinds()
    assert bars(job)[-1][0] == "work" and kinds.index("progress") < kinds.index("error")


def test_threads_and_forks(runner: ServedRunner) -> None:
    job = runner.run(
        "import os, time\n"
        "from tqdm import tqdm\n"
        "from tqdm.contrib.concurrent import process_map, thread_map\n"
        "with tqdm(total=3, desc='parent') as bar:\n"
        "    if not os.fork():\n"
        "        for _ in tqdm(range(2), desc='child', position=1): time.sleep(0.3)\n"
        "        bar.update(3)\n"
        "        bar.close()\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
        "    bar.update(1)\n"
        f"{PAUSE}"
        "assert thread_map(abs, range(50), max_workers=4, desc='threads') == list(range(50))\n"
        f"{PAUSE}"
        "assert process_map(abs, range(50), max_workers=2, desc='processes') == list(range(50))\n"
        "%reset -f\n"
    )
    assert job.outcome and job.outcome["state"] == "COMPLETED", job.said()
    seen = bars(job)
    assert ("parent", 3, 3, True) not in seen and ("parent", 1, 3, True) in seen
    assert ("processes", 50, 50, True) in seen and ("threads", 50, 50, True) in seen
    assert ("child", 2, 2, True) in seen
    assert len(ids(job)) == len({label for label, *_ in seen})


def test_pandas_and_rich(runner: ServedRunner) -> None:
    job = runner.run(
        "import warnings\n"
        "import pandas\n"
        "from tqdm.auto import tqdm\n"
        "tqdm.pandas(desc='rows')\n"
        "assert pandas.Series([1, 2, 3]).progress_apply(lambda n: n + 1).tolist() == [2, 3, 4]\n"
        f"{PAUSE}"
        "warnings.simplefilter('ignore')\n"
        "from tqdm.rich import tqdm as rich\n"
        "for _ in rich(range(2), desc='outer'):\n"
        "    pass\n"
        "%reset -f\n"
    )
    assert job.outcome and job.outcome["state"] == "COMPLETED", job.said()
    seen = bars(job)
    assert ("rows", 3, 3, True) in seen and seen[-1] == ("outer", 2, 2, True)


def test_progress_of_ours_beside_it(runner: ServedRunner) -> None:
    job = runner.run(
        "from cumulus_jupyter import progress\n"
        "from tqdm import tqdm\n"
        "for _ in progress(range(2), label='ours'):\n"
        "    for _ in tqdm(range(2), desc='theirs'): pass\n"
        "%reset -f\n"
    )
    assert bars(job)[0] == ("ours", 0, 2, False) and bars(job)[-1] == ("ours", 2, 2, True)


def test_another_tqdm_is_left_alone(runner: ServedRunner) -> None:
    sources: dict[str, Any] = {"without the class": "", "with another one": "class tqdm: pass\n"}
    for source in sources.values():
        job = runner.run(
            "import pathlib, sys\n"
            "pathlib.Path('tqdm').mkdir()\n"
            "pathlib.Path('tqdm/__init__.py').write_text('from . import std')\n"
            f"pathlib.Path('tqdm/std.py').write_text({source!r})\n"
            "import tqdm\n"
            "print(tqdm.std.__name__, type(tqdm.std.__loader__).__name__)\n"
            "%reset -f\n"
        )
        assert job.text("stdout") == "tqdm.std SourceFileLoader\n", job.said()
