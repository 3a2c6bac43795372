"""What a cell prints, shows, leaves and raises comes back as a notebook would have it."""

from __future__ import annotations

import json
import re

from tests.fakes.served_runner import ServedRunner, result_values


def test_names_and_last_expression(runner: ServedRunner) -> None:
    job = runner.run("x = 1\ny = [x, 'b']\nx + 1")
    assert result_values(job) == {"x": 1, "y": [1, "b"], "@result": 2}
    assert job.result["has_result"] and job.result["json"] == 2
    assert job.outcome == {"state": "COMPLETED", "message": "", "error": None}


def test_no_last_expression(runner: ServedRunner) -> None:
    assert not runner.run("x = 1").result["has_result"]
    assert not runner.run("1 + 1;").result["has_result"]
    assert not runner.run("").result["has_result"]
    none = runner.run("None")
    assert none.result["has_result"] and "@result" not in result_values(none)


def test_streams_apart_and_live(runner: ServedRunner) -> None:
    job = runner.run("import sys\nprint('out')\nprint('err', file=sys.stderr)\nprint('more')")
    assert job.said() == [
        ("stdout", "out\n"),
        ("stderr", "err\n"),
        ("stdout", "more\n"),
    ]


def test_order_of_prints_displays_and_subprocesses(runner: ServedRunner) -> None:
    job = runner.run(
        "import os, subprocess, sys\n"
        "for n in range(5):\n"
        "    print('print', n)\n"
        "    subprocess.run(['echo', f'process {n}'])\n"
        "    os.write(1, b'raw %d\\n' % n)\n"
        "    print('after', n)\n"
        "    display({'text/plain': f'shown {n}'}, raw=True)\n"
        "    !echo shell {n}\n"
    )
    seen = "".join(
        event["text"] if event["type"] == "log" else event["data"]["text/plain"] + "\n"
        for event in job.of_type("log", "display")
    )
    assert seen.splitlines() == [
        f"{what} {n}" for n in range(5) for what in ("print", "process", "raw", "after", "shown", "shell")
    ]


def test_rich_output(runner: ServedRunner) -> None:
    job = runner.run(
        "from IPython.display import HTML, clear_output, display\n"
        "handle = display(HTML('<b>one</b>'), display_id='here')\n"
        "handle.update(HTML('<b>two</b>'))\n"
        "clear_output(wait=True)\n"
        "del handle, HTML, clear_output, display"
    )
    first, update, clear = job.of_type("display", "update_display", "clear_output")
    assert first["data"]["text/html"] == "<b>one</b>" and first["display_id"] == "here"
    assert update["type"] == "update_display" and update["data"]["text/html"] == "<b>two</b>"
    assert clear == {"type": "clear_output", "wait": True}
    assert result_values(job) == {}


def test_figures_are_shown_where_they_end(runner: ServedRunner) -> None:
    job = runner.run(
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nprint('between')\nplt.plot([2, 1]);"
    )
    assert job.kinds() == ["display", "log", "display", "result"]
    for shown in job.of_type("display"):
        assert shown["data"]["image/png"].startswith("iVBOR")


def test_svg_figures(runner: ServedRunner) -> None:
    job = runner.run("import matplotlib.pyplot as plt\nplt.plot([1, 2]);", program={"figure_format": "svg"})
    assert "<svg" in job.of_type("display")[0]["data"]["image/svg+xml"]


def test_await_magics_and_shell(runner: ServedRunner) -> None:
    job = runner.run(
        "import asyncio\n"
        "await asyncio.sleep(0.01)\n"
        "%env CUMULUS_TEST=yes\n"
        "files = !echo one two\n"
        "found = files.n\n"
        "async def answer():\n"
        "    return 42\n"
        "await answer()"
    )
    values = result_values(job)
    assert values["@result"] == 42 and values["found"] == "one two"


def test_cell_magic(runner: ServedRunner) -> None:
    job = runner.run("%%time\ntimed = 3\ntimed")
    assert result_values(job)["@result"] == 3 and "Wall time" in job.text("stdout")
    bash = runner.run("%%bash\necho from bash")
    assert bash.text("stdout") == "from bash\n"


def test_a_widget_shows_as_text_for_its_model_is_not_in_the_notebook(runner: ServedRunner) -> None:
    job = runner.run(
        "class Slider:\n"
        "    def _repr_mimebundle_(self, **kwargs):\n"
        "        view = 'application/vnd.jupyter.widget-view+json'\n"
        "        return {'text/plain': 'Slider()', view: {'model_id': 'x'}}\n"
        "display(Slider())"
    )
    (shown,) = job.of_type("display")
    assert shown["data"] == {"text/plain": "Slider()"}


def test_tqdm_moves(runner: ServedRunner) -> None:
    job = runner.run("from tqdm.auto import tqdm\nfor _ in tqdm(range(3), mininterval=0): pass")
    assert "3/3" in job.text("stderr") and "\r" in job.text("stderr")


def test_progress_events(runner: ServedRunner) -> None:
    job = runner.run(
        "from cumulus_jupyter import progress\nfor _ in progress(range(3), label='work'): pass\ndel progress"
    )
    events = job.of_type("progress")
    assert events[0]["label"] == "work" and events[0]["total"] == 3 and events[0]["done"] == 0
    assert events[-1]["finished"] and events[-1]["done"] == 3
    counted = runner.run(
        "import numpy\nfrom cumulus_jupyter import progress\n"
        "with progress(total=numpy.int64(3)) as bar: bar.update(numpy.float32(2))\n"
        "del bar, numpy, progress"
    )
    assert [(event["done"], event["total"]) for event in counted.of_type("progress")][-1] == (2, 3)


def test_error_on_the_notebooks_lines(runner: ServedRunner) -> None:
    job = runner.run(
        "before = 1\ndef f():\n    raise ValueError('bad', 7)\nf()",
        program={"line_offset": 1, "title": "Cell In[5]"},
    )
    error = job.error
    text = "\n".join(error["traceback"])
    assert (error["name"], error["value"], error["module"]) == ("ValueError", "('bad', 7)", "builtins")
    assert "In[5]" in text and "line 5" in text and "line 4" in text
    assert "cumulus_runner" not in text
    assert error["args"]["roots"] == {"args": [0]}
    assert result_values(job)["before"] == 1
    assert job.outcome is not None and job.outcome["state"] == "FAILED"
    assert job.outcome["message"] == "ValueError: ('bad', 7)"


def test_frames_of_an_error_are_apart_as_in_ipython(runner: ServedRunner) -> None:
    shown = "\n".join(runner.run("def f():\n    1 / 0\nf()").error["traceback"])
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert "----> 3 f()\n\nCell In" in plain and "1 / 0\n\nZeroDivisionError" in plain
    group = runner.run("raise ExceptionGroup('two', [KeyError('k')])").error
    assert not any(line.endswith("\n") for line in group["traceback"])


def test_error_inside_a_magic_fails_the_cell(runner: ServedRunner) -> None:
    job = runner.run("%%time\n1/0")
    assert job.error["name"] == "ZeroDivisionError"
    assert job.outcome is not None and job.outcome["state"] == "FAILED"


def test_syntax_error_and_error_groups(runner: ServedRunner) -> None:
    assert runner.run("x = (").error["name"] == "SyntaxError"
    group = runner.run("raise ExceptionGroup('several', [ValueError(1), KeyError(2)])").error
    assert group["name"] == "ExceptionGroup" and "KeyError" in "".join(group["traceback"])


def test_error_of_the_notebooks_own_class(runner: ServedRunner) -> None:
    job = runner.run("class Odd(Exception):\n    pass\nraise Odd('so')")
    assert (job.error["module"], job.error["qualname"]) == ("__main__", "Odd")


def test_jobs_do_not_see_each_other(runner: ServedRunner) -> None:
    runner.run(
        "import os, builtins\nbuiltins.leak = 1\nos.environ['LEAK'] = '1'\nleaked = 1\nopen('leak', 'w')"
    )
    job = runner.run(
        "import os, builtins\n"
        "(hasattr(builtins, 'leak'), os.environ.get('LEAK'), 'leaked' in globals(), os.listdir('.'))"
    )
    assert result_values(job)["@result"] == (False, None, False, [])


def test_environment_is_scrubbed_and_extended(runner: ServedRunner) -> None:
    job = runner.run(
        "import os\n"
        "own = sorted(n for n in os.environ if n.startswith(('JPY', 'JUPYTER', 'CUMULUS')))\n"
        "(own, os.environ['MINE'])",
        env={"MINE": "yes"},
    )
    assert result_values(job)["@result"] == ([], "yes")


def test_calls(runner: ServedRunner) -> None:
    from cumulus_jupyter import values

    graph = values.encode({"@function": pow, "@args": (2, 5), "@kwargs": {}}, values.EncodeOptions()).graph
    job = runner.run("", program={"kind": "call", "graph": graph})
    assert result_values(job) == {"@result": 32} and job.result["json"] == 32


def test_shipped_values_change_in_place(runner: ServedRunner) -> None:
    from cumulus_jupyter import values

    shared = [1]
    encoded = values.encode({"a": shared, "b": shared, "gone": 1, "same": [2]}, values.EncodeOptions())
    job = runner.run("a.append(2)\ndel gone\nc = same", program={"graph": encoded.graph})
    assert job.result["deleted"] == ["gone"]
    changed = values.apply_changes(
        job.result["graph"], {}, encoded.originals, allow_pickle=False, namespace={}
    )
    assert shared == [1, 2] and changed["a"] is shared and changed["b"] is shared


def test_large_values_travel_stored(runner: ServedRunner) -> None:
    job = runner.run("import numpy\nbig = numpy.arange(1_000_000)\ndel numpy")
    assert job.result["stored_blobs"] and not job.result["inline_blobs"]
    assert set(job.values) == {"@outputs"} and len(job.values["@outputs"]) > 8_000_000
    assert list(job.result["graph"]["roots"]) == ["big"]


def test_what_cannot_travel_stays_and_is_told(runner: ServedRunner) -> None:
    job = runner.run(
        "import threading\nlock = threading.Lock()\nlong = b'x' * 3_000_000\ndel threading",
        program={"value_limit_bytes": 1_000_000},
    )
    left = {entry["name"]: entry for entry in job.result["remote"]}
    assert set(left) == {"lock", "long"}
    assert left["long"]["stored"] and not left["long"]["pickled"] and "long" in job.values
    assert not left["lock"]["stored"] and left["lock"]["reason"]
    assert json.dumps(left["lock"]["bundle"]) != "{}"


def test_remote_value_of_an_earlier_job(runner: ServedRunner) -> None:
    from cumulus_jupyter import values

    first = runner.run("kept = b'y' * 2_000_000", program={"value_limit_bytes": 1000})
    remote = values.RemoteValue(
        name="kept",
        job_id=first.id,
        type_name="bytes",
        size_bytes=2_000_000,
        reason="too large",
        stored=True,
        pickled=False,
    )
    graph = values.encode({"kept": remote}, values.EncodeOptions()).graph
    job = runner.run("len(kept)", program={"graph": graph})
    assert result_values(job)["@result"] == 2_000_000


def test_earlier_imports_hold(runner: ServedRunner) -> None:
    job = runner.run("np.pi > m.e", program={"imports": ["import numpy as np", "import math as m"]})
    assert result_values(job) == {"@result": True}


def test_only_asked_outputs_come_back(runner: ServedRunner) -> None:
    job = runner.run("a = 1\nb = 2\na", program={"outputs": ["b"]})
    assert result_values(job) == {"b": 2, "@result": 1}
