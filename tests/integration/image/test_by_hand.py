"""A code package at /job: what is printed, what is answered, and how it ends."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from tests.integration.image.containers import run_code


def _wheel(folder: Path, module: str) -> str:
    """A wheel with one module; its file name."""
    name = f"{module}-1.0-py3-none-any.whl"
    about = f"{module}-1.0.dist-info"
    with zipfile.ZipFile(folder / name, "w") as wheel:
        wheel.writestr(f"{module}.py", "ANSWER = 42\n")
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    return name


@pytest.mark.parametrize("fixture", ["job_image", "other_job_image", "full_job_image"])
def test_success(request: pytest.FixtureRequest, tmp_path: Path, fixture: str) -> None:
    code = "import os\ndef main():\n    print('working', os.getuid())\n    return {'x': [1, 'ä']}"
    (tmp_path / "main.py").write_text(code)
    ended = run_code(request.getfixturevalue(fixture), tmp_path)
    assert (ended.status, ended.answer) == (0, {"status": "success", "result": {"x": [1, "ä"]}})
    assert ended.err == "working 1000\n"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("def main():\n    raise ValueError('bad')", "ValueError: bad"),
        ("x = 1", "main.py has no function main()"),
        ("def main(): return {1}", "The result of main() can't be said in JSON"),
        ("import os\ndef main(): os.abort()", "The process was ended by SIGABRT"),
        ("def main(): open('/job/x', 'w')", "Read-only file system"),
    ],
)
def test_failure(job_image: str, tmp_path: Path, code: str, error: str) -> None:
    (tmp_path / "main.py").write_text(code)
    ended = run_code(job_image, tmp_path)
    assert (ended.status, ended.answer["status"]) == (1, "error")
    assert error in ended.answer["error"]


def test_the_traceback_shows_the_users_code_alone(job_image: str, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("def main():\n    raise ValueError('bad')")
    ended = run_code(job_image, tmp_path)
    assert ended.answer["traceback"] == ended.err
    assert ended.err.splitlines()[:2] == [
        "Traceback (most recent call last):",
        '  File "/job/main.py", line 2, in main',
    ]


def test_no_code(job_image: str, tmp_path: Path) -> None:
    ended = run_code(job_image, tmp_path)
    assert ended.status == 1
    assert "/job has no main.py and no code.zip" in ended.answer["error"]


def test_code_as_an_archive(job_image: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.writestr("main.py", "from part import main")
        archive.writestr("part.py", "def main(): return 7")
    assert run_code(job_image, tmp_path).answer == {"status": "success", "result": 7}


def test_requirements_are_installed(job_image: str, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(f"./{_wheel(tmp_path, 'tiny')}\n")
    (tmp_path / "main.py").write_text("import tiny\ndef main(): return tiny.ANSWER")
    ended = run_code(job_image, tmp_path)
    assert (ended.status, ended.answer) == (0, {"status": "success", "result": 42}), ended.err


def test_requirements_that_the_image_has_need_no_network(full_job_image: str, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("numpy\nscikit-learn\n")
    (tmp_path / "main.py").write_text("import numpy\ndef main(): return numpy.arange(2)")
    ended = run_code(full_job_image, tmp_path)
    assert (ended.answer, ended.err) == ({"status": "success", "result": [0, 1]}, "")


def test_requirements_that_cannot_be_had(job_image: str, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("./missing-1.0-py3-none-any.whl\n")
    (tmp_path / "main.py").write_text("def main(): return 1")
    ended = run_code(job_image, tmp_path)
    assert ended.status == 1
    assert "requirements.txt could not be installed" in ended.answer["error"]
    assert "missing-1.0" in ended.err


def test_compiled_requirements_need_a_place_that_can_be_executed(job_image: str, tmp_path: Path) -> None:
    name = _wheel(tmp_path, "compiled")
    with zipfile.ZipFile(tmp_path / name, "a") as wheel:
        wheel.writestr("compiled_part.so", b"\x7fELF")
    (tmp_path / "requirements.txt").write_text(f"./{name}\n")
    (tmp_path / "main.py").write_text("def main(): return 1")
    ended = run_code(job_image, tmp_path)
    assert "--tmpfs /tmp:exec" in ended.answer["error"]
    roomy = run_code(job_image, tmp_path, "--tmpfs", "/tmp:exec")
    assert roomy.answer == {"status": "success", "result": 1}


def test_any_user_can_run_it(job_image: str, tmp_path: Path) -> None:
    code = "import os, pathlib\ndef main(): return [os.getuid(), str(pathlib.Path.home())]"
    (tmp_path / "main.py").write_text(code)
    ended = run_code(job_image, tmp_path, "--user", "4321:4321")
    assert ended.answer == {"status": "success", "result": [4321, "/tmp"]}


def test_out_of_memory(job_image: str, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("def main(): return len(bytearray(2**29))")
    ended = run_code(job_image, tmp_path, "--memory", "128m", "--memory-swap", "128m")
    assert ended.status == 1
    assert "out of memory" in ended.answer["error"]


def test_a_stop_is_told(job_image: str, tmp_path: Path) -> None:
    code = "import os, signal, time\ndef main():\n    os.kill(1, signal.SIGTERM)\n    time.sleep(100)"
    (tmp_path / "main.py").write_text(code)
    ended = run_code(job_image, tmp_path)
    assert (ended.status, ended.answer["error"]) == (1, "Stopped by SIGTERM")


def test_its_python_is_this_one(job_image: str, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("import sys\ndef main(): return sys.version_info[:2]")
    assert run_code(job_image, tmp_path).answer["result"] == list(sys.version_info[:2])
