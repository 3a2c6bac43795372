"""Cells that misbehave: each ends, says how, and leaves the relay fit for the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.homes import alive, wait_for
from tests.patience import LIMIT_S

from .kernels import Kernel, Shown


@pytest.fixture(autouse=True)
def _next_cell_runs(kernel: Kernel) -> Iterator[None]:
    yield
    assert kernel.run("%%cumulus\n6 * 7").result == "42"


def run(kernel: Kernel, source: str, line: str = "") -> Shown:
    """One cell elsewhere."""
    return kernel.run(f"%%cumulus {line}\n{source}")


def test_ten_megabytes_on_one_line(kernel: Kernel) -> None:
    shown = run(kernel, "print('x' * 10_000_000)")
    assert not shown.error, shown.traceback
    assert shown.stdout == "x" * 10_000_000 + "\n"


def test_a_million_lines(kernel: Kernel) -> None:
    shown = run(kernel, "for number in range(1_000_000):\n    print(number)")
    assert not shown.error, shown.traceback
    lines = shown.stdout.splitlines()
    assert (len(lines), lines[0], lines[-1]) == (1_000_000, "0", "999999")


def test_nul_and_broken_utf8(kernel: Kernel) -> None:
    shown = run(kernel, "import os, sys\nsys.stdout.flush()\n_ = os.write(1, b'a\\x00b\\xff\\xfec\\n')")
    assert not shown.error, shown.traceback
    assert shown.stdout == "a\x00b��c\n"


def test_a_character_cut_in_two_is_whole(kernel: Kernel) -> None:
    source = "import os, time\n_ = os.write(1, b'\\xc3')\ntime.sleep(0.2)\n_ = os.write(1, b'\\xa4\\n')"
    assert run(kernel, source).stdout == "ä\n"


def test_exit_status(kernel: Kernel) -> None:
    shown = run(kernel, "import sys\nprint('before')\nkept = 1\nsys.exit(3)")
    assert (shown.error, shown.message) == ("SystemExit", "3")
    assert shown.stdout == "before\n"
    assert kernel.value("kept") == 1


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import os\nos._exit(3)", "exit status 3"),
        ("import ctypes\nctypes.string_at(0)", "SIGSEGV"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
    ],
    ids=["os._exit", "segfault", "killed"],
)
def test_a_process_that_dies(kernel: Kernel, source: str, said: str) -> None:
    shown = run(kernel, "print('last words')\n" + source)
    assert shown.stdout == "last words\n"
    assert said in shown.traceback, shown.traceback


def test_out_of_memory(kernel: Kernel) -> None:
    shown = run(kernel, "print('before')\nheap = bytearray(4 << 30)", "--memory 600M")
    assert shown.error == "MemoryError", shown.traceback
    assert shown.stdout == "before\n"


def test_input_is_refused(kernel: Kernel) -> None:
    shown = run(kernel, "input('name? ')")
    assert "input()" in shown.traceback, shown.traceback


def test_a_process_left_behind_is_ended(kernel: Kernel) -> None:
    source = "import subprocess\npid = subprocess.Popen(['sleep', '300']).pid\npid"
    pid = int(run(kernel, source).result)
    assert wait_for(lambda: not alive(pid), LIMIT_S)


def test_a_fork_ends_with_the_cell(kernel: Kernel) -> None:
    source = "import os, time\npid = os.fork()\nif pid == 0:\n    time.sleep(300)\n    os._exit(0)\npid"
    pid = int(run(kernel, source).result)
    assert wait_for(lambda: not alive(pid), LIMIT_S)


def test_a_thread_left_running_does_not_hold_the_cell(kernel: Kernel) -> None:
    source = "import threading, time\n"
    source += "def late():\n    time.sleep(600)\n    print('too late')\n"
    source += "threading.Thread(target=late).start()\nprint('done')"
    shown = run(kernel, source)
    assert not shown.error, shown.traceback
    assert shown.stdout == "done\n"


def test_a_requirement_that_does_not_exist(kernel: Kernel) -> None:
    shown = run(kernel, "x = 1", "-r cumulus-there-is-no-such-thing==99.99")
    assert shown.error
    assert "cumulus-there-is-no-such-thing" in shown.traceback, shown.traceback


def test_requirements_are_not_looked_for_in_a_path(kernel: Kernel) -> None:
    shown = run(kernel, "x = 1", "-r /etc/passwd")
    assert "INVALID_ARGUMENT" in shown.traceback
