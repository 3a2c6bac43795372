"""Programs that end badly, write badly, or do not end: the job ends and says how."""

from __future__ import annotations

import os

import pytest

from tests.fakes.runner_relay import FakeJob
from tests.fakes.served_runner import ServedRunner, result_values


def state_and_message(job: FakeJob) -> tuple[str, str]:
    assert job.outcome is not None
    return job.outcome["state"], job.outcome["message"]


def test_ten_megabytes_on_one_line(runner: ServedRunner) -> None:
    job = runner.run("print('é' * 5_000_000)")
    assert job.text("stdout") == "é" * 5_000_000 + "\n"
    assert len(job.of_type("log")) > 10


def test_a_million_lines(runner: ServedRunner) -> None:
    job = runner.run("for n in range(1_000_000): print(n)")
    assert job.text("stdout") == "".join(f"{n}\n" for n in range(1_000_000))


def test_nul_and_broken_utf8(runner: ServedRunner) -> None:
    job = runner.run(
        "import os, sys\n"
        "print('a\\0b')\n"
        "os.write(1, b'\\xff\\xfe cut \\xc3\\n')\n"
        "sys.stdout.buffer.write(b'\\xffbuffer\\n')\n"
        "print('\\udc80 surrogate')"
    )
    assert job.text("stdout") == "a\0b\n�� cut �\n�buffer\n\\udc80 surrogate\n"


def test_half_characters_and_numbers_that_json_lacks(runner: ServedRunner) -> None:
    """Python has them, and names of files do: none of it may break what the job reports."""
    job = runner.run("kept = 1\nraise ValueError('caf\\udce9 ü')")
    assert state_and_message(job) == ("FAILED", "ValueError: caf\\udce9 ü")
    assert job.error["value"] == "caf\\udce9 ü" and result_values(job)["kept"] == 1
    job = runner.run(
        "display({'text/plain': 'caf\\udce9', 'application/json': {'a': float('nan'), (1, 2): [1e999]}},"
        " raw=True, display_id=7)\n"
        "'caf\\udce9'"
    )
    (shown,) = job.of_type("display")
    assert shown["data"] == {"text/plain": "caf\\udce9", "application/json": {"a": None, "(1, 2)": [None]}}
    assert shown["display_id"] == "7"
    assert job.result["json"] is None and result_values(job)["@result"] == "caf\udce9"


def test_output_of_c_code(runner: ServedRunner) -> None:
    job = runner.run("import ctypes\nctypes.CDLL(None).printf(b'from C, no newline')\ndel ctypes")
    assert job.text("stdout") == "from C, no newline"


def test_a_character_in_two_halves(runner: ServedRunner) -> None:
    job = runner.run("import os, time\nos.write(1, b'\\xc3')\ntime.sleep(0.05)\nos.write(1, b'\\xa9\\n')")
    assert job.text("stdout") == "é\n"


def test_a_thread_that_prints_after_the_end(runner: ServedRunner) -> None:
    job = runner.run(
        "import threading, time\n"
        "def late():\n"
        "    for _ in range(100):\n"
        "        time.sleep(0.01)\n"
        "        print('late')\n"
        "print('early')\n"
        "threading.Thread(target=late).start()\n"
    )
    assert job.text("stdout").startswith("early\n")
    assert state_and_message(job) == ("COMPLETED", "")


@pytest.mark.parametrize("code", ["import sys; sys.exit(3)", "exit(3)", "raise SystemExit(3)"])
def test_exit_with_a_status(runner: ServedRunner, code: str) -> None:
    job = runner.run(f"kept = 1\nprint('before')\n{code}")
    assert state_and_message(job) == ("FAILED", "exited with status 3")
    assert job.error["name"] == "SystemExit"
    assert result_values(job)["kept"] == 1


def test_exit_without_a_fault(runner: ServedRunner) -> None:
    job = runner.run("kept = 1\nraise SystemExit")
    assert state_and_message(job) == ("COMPLETED", "")
    assert not job.of_type("error") and result_values(job)["kept"] == 1


def test_exit_past_python(runner: ServedRunner) -> None:
    job = runner.run("import os\nprint('last words', end='')\nos._exit(3)")
    assert job.text("stdout") == "last words"
    assert state_and_message(job) == ("FAILED", "the job's process ended itself with exit status 3")
    assert job.error["name"] == "JobDied"
    assert job.result["graph"] is None


def test_segfault(runner: ServedRunner) -> None:
    job = runner.run("import ctypes\nprint('before')\nctypes.string_at(0)")
    state, message = state_and_message(job)
    assert state == "FAILED" and "SIGSEGV" in message
    assert job.text("stdout") == "before\n"
    assert "Segmentation fault" in job.text("stderr") and "Cell In[1]" in job.text("stderr")


def test_memory_limit(runner: ServedRunner) -> None:
    job = runner.run("hog = []\nwhile True: hog.append(bytearray(10_000_000))", memory_mib=200)
    assert job.error["name"] == "MemoryError"
    assert state_and_message(job)[0] == "FAILED"
    fits = runner.run("len(bytearray(150_000_000))", memory_mib=200)
    assert fits.result["json"] == 150_000_000


def test_killed_for_memory(runner: ServedRunner) -> None:
    job = runner.run("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    assert "ran out of memory" in state_and_message(job)[1]
    assert job.outcome is not None and job.outcome["error"]["code"] == "RESOURCE_EXHAUSTED"


def test_processor_limit(runner: ServedRunner) -> None:
    job = runner.run("import os\n(len(os.sched_getaffinity(0)), os.environ['OMP_NUM_THREADS'])", cpu=1)
    assert result_values(job)["@result"] == (1, "1")


@pytest.mark.parametrize("code", ["input('name? ')", "import getpass; getpass.getpass()", "breakpoint()"])
def test_nobody_answers_input(runner: ServedRunner, code: str) -> None:
    job = runner.run(code)
    assert job.error["name"] == "EOFError"


def test_stdin_is_empty(runner: ServedRunner) -> None:
    assert runner.run("import sys\nsys.stdin.read()").result["json"] == ""


def test_forked_children_write_and_are_ended(runner: ServedRunner) -> None:
    job = runner.run(
        "import os, time\n"
        "told, tell = os.pipe()\n"
        "for n in range(3):\n"
        "    if not os.fork():\n"
        "        print('child', n)\n"
        "        display({'text/plain': 'x' * 10_000}, raw=True)\n"
        "        os.write(tell, b'.')\n"
        "        time.sleep(600)\n"
        "for n in range(3): os.read(told, 1)\n"
        "print('parent')\n"
    )
    assert sorted(job.text("stdout").splitlines()) == ["child 0", "child 1", "child 2", "parent"]
    assert [e["data"]["text/plain"] for e in job.of_type("display")] == ["x" * 10_000] * 3


def test_nothing_outlives_a_job(runner: ServedRunner) -> None:
    job = runner.run(
        "import subprocess, sys\n"
        "code = 'import os, time; os.setsid(); print(os.getpid(), flush=True); time.sleep(600)'\n"
        "def begin():\n"
        "    process = subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE)\n"
        "    return int(process.stdout.readline())\n"
        "pids = [begin() for _ in range(3)]\n"
        "pids"
    )
    for pid in job.result["json"]:
        assert not os.path.exists(f"/proc/{pid}")


@pytest.mark.parametrize(
    ("ends", "status", "said"),
    [
        ("pass", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit('so')", 1, "so\n"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
    ],
)
def test_a_forked_process_that_leaves_the_cell_is_not_the_job(
    runner: ServedRunner, ends: str, status: int, said: str
) -> None:
    job = runner.run(
        "import os, sys\n"
        "told, tell = os.pipe()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    print('in the child', end='')\n"
        f"    {ends}\n"
        "else:\n"
        "    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
        "    print()\n"
        "whose = child > 0"
    )
    assert state_and_message(job) == ("COMPLETED", "") and not job.of_type("error")
    left = result_values(job)
    assert (left["status"], left["whose"], job.text("stdout")) == (status, True, "in the child\n")
    assert job.text("stderr").endswith(said) and "cumulus_runner" not in job.text("stderr")


def test_what_ends_in_the_background_takes_nothing_along(runner: ServedRunner) -> None:
    job = runner.run(
        "import os, subprocess, time\n"
        "def orphan(command):\n"
        "    script = f'setsid {command} >&2 & echo $!'\n"
        "    return int(subprocess.run(['sh', '-c', script], stdout=subprocess.PIPE).stdout)\n"
        "stays, ends = orphan('sleep 600'), orphan('true')\n"
        "while os.path.exists(f'/proc/{ends}'): time.sleep(0.01)\n"
        "time.sleep(0.1)\n"
        "open(f'/proc/{stays}/stat').read().split()[2] in 'ZX'"
    )
    assert job.result["json"] is False, job.said()


def test_multiprocessing(runner: ServedRunner) -> None:
    job = runner.run(
        "import multiprocessing\n"
        "def double(n):\n"
        "    print('at', n)\n"
        "    return 2 * n\n"
        "with multiprocessing.get_context('fork').Pool(2) as pool:\n"
        "    doubled = pool.map(double, range(10))\n"
    )
    assert state_and_message(job) == ("COMPLETED", "")
    assert result_values(job)["doubled"] == [2 * n for n in range(10)]
    assert sorted(job.text("stdout").splitlines()) == sorted(f"at {n}" for n in range(10))


def test_streams_closed_or_replaced(runner: ServedRunner) -> None:
    job = runner.run("import sys, os\nos.close(1)\nos.close(2)\nsys.stdout.close()\nprint('still')\nx = 1")
    assert job.text("stdout") == "still\n" and result_values(job)["x"] == 1
    other = runner.run("import sys\nsys.stdout = None\nx = 2")
    assert result_values(other)["x"] == 2


def test_a_result_that_raises_when_looked_at(runner: ServedRunner) -> None:
    job = runner.run(
        "class Evil:\n"
        "    def __repr__(self): raise RuntimeError('no')\n"
        "    def __reduce__(self): raise RuntimeError('no')\n"
        "    def __getattr__(self, name): raise RuntimeError('no')\n"
        "evil = Evil()\n"
        "good = 1"
    )
    assert state_and_message(job)[0] in ("COMPLETED", "FAILED")
    assert job.result is not None


def test_deep_and_cyclic_results(runner: ServedRunner) -> None:
    job = runner.run("loop = []\nloop.append(loop)\ndeep = []\nfor _ in range(100_000): deep = [deep]")
    assert job.result is not None
    assert runner.run("1").result["json"] == 1


def test_an_exception_that_cannot_be_shown(runner: ServedRunner) -> None:
    job = runner.run("class Bad(Exception):\n    def __str__(self): raise ValueError\nraise Bad(1)")
    assert job.error["name"] == "Bad"


def test_runaway_recursion(runner: ServedRunner) -> None:
    job = runner.run("def f(): return f()\nf()")
    assert job.error["name"] == "RecursionError"


def test_a_program_that_writes_to_the_runners_pipe(runner: ServedRunner) -> None:
    """It harms itself only."""
    job = runner.run(
        "import os\n"
        "for fd in map(int, os.listdir('/proc/self/fd')):\n"
        "    if fd > 2:\n"
        "        try: os.write(fd, b'\\xffE\\0\\0\\0\\0\\3\\x04\\0nxyz')\n"
        "        except OSError: pass\n"
        "x = 1"
    )
    assert result_values(job)["x"] == 1
