"""A folder of code, run by hand."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


def run(folder: Path, code: str) -> tuple[int, dict[str, object], str]:
    (folder / "main.py").write_text(code)
    return run_there(folder)


def run_there(folder: Path) -> tuple[int, dict[str, object], str]:
    done = subprocess.run(
        [sys.executable, "-m", "cumulus_runner", "--code", str(folder)], capture_output=True, text=True
    )
    return done.returncode, json.loads(done.stdout), done.stderr


def test_success(tmp_path: Path) -> None:
    status, answer, printed = run(tmp_path, "def main():\n    print('working')\n    return {'x': 1}")
    assert (status, answer) == (0, {"status": "success", "result": {"x": 1}})
    assert printed == "working\n"


def test_failure(tmp_path: Path) -> None:
    status, answer, printed = run(tmp_path, "def main():\n    raise ValueError('bad')")
    assert (status, answer["status"], answer["error"]) == (1, "error", "ValueError: bad")
    assert answer["traceback"] in printed
    assert str(answer["traceback"]).startswith(
        f'Traceback (most recent call last):\n  File "{tmp_path}/main.py"'
    )


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("x = 1", "main.py has no function main()"),
        ("def main(): (", "SyntaxError"),
        ("def main(): return {1, 2}", "it has a set"),
        ("def main(): return (lambda: 0)", "can't be said in JSON"),
        ("import sys\ndef main(): sys.exit(0)", "main() ended the process: SystemExit(0)"),
        ("import os\ndef main(): os._exit(0)", "main() ended the process, with exit code 0"),
        ("import os\ndef main(): os.kill(os.getpid(), 11)", "The process was ended by SIGSEGV"),
        ("import os\ndef main(): os.kill(os.getpid(), 9)", "most likely it was out of memory"),
        ("import os\ndef main(): os.kill(os.getpid(), 15)", "Stopped by SIGTERM"),
        ("def main():\n    x = []; x.append(x); return x", "Circular"),
        ("def main(): return float('nan')", "can't be said in JSON"),
    ],
)
def test_every_failure_is_one_line_of_json(tmp_path: Path, code: str, said: str) -> None:
    status, answer, _ = run(tmp_path, code)
    assert (status, answer["status"]) == (1, "error")
    assert said in str(answer["error"])


def test_a_stop_that_comes_before_anybody_is_ready_is_told(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("import time\ndef main(): time.sleep(60)")
    early = """
import os, signal, sys, time
from cumulus_runner import by_hand
fork = os.fork
def slowly():
    child = fork()
    if child:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.2)
    return child
os.fork = slowly
sys.exit(by_hand.run_folder(sys.argv[1]))
"""
    done = subprocess.run([sys.executable, "-c", early, str(tmp_path)], capture_output=True, text=True)
    assert (done.returncode, json.loads(done.stdout)["error"]) == (1, "Stopped by SIGTERM"), done.stderr


def test_nothing_else_is_on_stdout(tmp_path: Path) -> None:
    code = "import os, subprocess\ndef main():\n    os.write(1, b'raw\\n'); subprocess.run(['echo', 'child'])"
    status, answer, printed = run(tmp_path, code)
    assert (status, answer) == (0, {"status": "success", "result": None})
    assert printed == "raw\nchild\n"


def test_it_runs_where_its_files_are_and_leaves_nothing_there(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("def text():\n    return open('data.txt').read()")
    (tmp_path / "data.txt").write_text("beside")
    code = "import helper\nasync def main():\n    return helper.text()"
    assert run(tmp_path, code)[:2] == (0, {"status": "success", "result": "beside"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.txt", "helper.py", "main.py"]


def test_arrays_are_lists(tmp_path: Path) -> None:
    code = "import numpy as np\ndef main(): return {'a': np.arange(3), 'x': np.float32(1.5)}"
    assert run(tmp_path, code)[1]["result"] == {"a": [0, 1, 2], "x": 1.5}


def test_code_as_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.writestr("main.py", "import part\nmain = part.work")
        archive.writestr("part.py", "def work(): return 7")
    assert run_there(tmp_path)[:2] == (0, {"status": "success", "result": 7})


def test_no_code(tmp_path: Path) -> None:
    assert "has no main.py and no code.zip" in str(run_there(tmp_path)[1]["error"])


def test_requirements_that_are_there_need_no_installer(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("# what it needs\nnumpy\n\npandas  # frames\n")
    assert run(tmp_path, "def main(): return 1") == (0, {"status": "success", "result": 1}, "")


def test_requirements_that_nobody_has(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("./not-there\n")
    status, answer, printed = run(tmp_path, "def main(): return 1")
    assert status == 1
    assert "requirements.txt could not be installed" in str(answer["error"])
    assert "not-there" in printed
