"""The rules of CONTRIBUTING.md that a machine can check, over every file git knows of."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST_MODULE_LINES = 300
#: What travels into a job's interpreter must be readable by the oldest one a job may have.
OLDEST_JOB_PYTHON = (3, 9)
TRAVELLING = ("cumulus_jupyter/protocol/", "cumulus_jupyter/values/", "job-image/cumulus_runner/")
TRAVELLING_FILES = ("cumulus_jupyter/__init__.py", "cumulus_jupyter/progress_bar.py")

#: Hosts of package registries: which one is used is the machine's own business.
REGISTRY_HOSTS = re.compile(
    r"\b(pypi\.(?:org|python)|files\.pythonhosted|registry\.npmjs|deb\.debian|archive\.ubuntu"
    r"|ghcr\.i"
    r"o|docker\.i"
    r"o/|nvcr\.i"
    r"o)"
)
#: Folders that only one machine has.
MACHINE_PATHS = re.compile(r"(?<![\w.~$}-])/(?:work|root|home/\w+|opt/(?:pypi|wheels)|Users/\w+)/")
SKIPS = re.compile(r"pytest\.(?:mark\.)?(?:skip|xfail)|importorskip")
#: Each of these cancels and awaits the tasks that it starts.
TASK_OWNERS = ("/supervisor.py", "/reconcile/tasks.py", "/reconcile/queue.py", "/process/runner_process.py")
BARE_TASKS = re.compile(r"\b(?:create_task|ensure_future)\(")
#: As a stored notebook spells it; it would stick to what follows.
COLOUR = re.compile(r"\\u001b\[[0-9;]*m")
#: What pages run.
PAGE_SUFFIXES = (".css", ".js", ".ts", ".tsx")
LOCK = "labextension-py/package-lock.json"
NOT_TEXT = {".png", ".ico", ".zip", ".npy", ".whl"}


def _tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())


FILES = _tracked()
PYTHON = [name for name in FILES if name.endswith(".py")]
PAGES = [name for name in FILES if name.endswith(PAGE_SUFFIXES)]
TEXT = [name for name in FILES if Path(name).suffix not in NOT_TEXT and Path(name) != Path(__file__)]
THIS = Path(__file__).resolve().relative_to(ROOT).as_posix()


def _read(name: str) -> str:
    return COLOUR.sub("", (ROOT / name).read_text(encoding="utf-8"))


def _lines_matching(pattern: re.Pattern[str], names: list[str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name in names
        if name != THIS
        for number, line in enumerate(_read(name).splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_module_is_too_long() -> None:
    lengths = {name: len(_read(name).splitlines()) for name in PYTHON + PAGES}
    long = {name: lines for name, lines in lengths.items() if lines > LONGEST_MODULE_LINES}
    assert not long, f"split these by reason to change: {long}"


def test_no_file_names_a_package_registry() -> None:
    assert not _lines_matching(REGISTRY_HOSTS, TEXT)


def test_no_file_names_a_folder_of_one_machine() -> None:
    assert not _lines_matching(MACHINE_PATHS, TEXT)


def test_no_test_is_skipped() -> None:
    assert not _lines_matching(SKIPS, [name for name in PYTHON if name.startswith("tests/")])


def test_every_task_has_an_owner() -> None:
    server = [n for n in PYTHON if n.startswith("server/") and not n.endswith(TASK_OWNERS)]
    assert not _lines_matching(BARE_TASKS, server)


def test_every_module_says_what_it_is_for() -> None:
    ours = [n for n in PYTHON if not n.startswith("tests/") and _read(n).strip()]
    assert not [name for name in ours if not ast.get_docstring(ast.parse(_read(name)))]
    assert not [name for name in PAGES if _read(name).strip() and not _read(name).startswith(("/*", "//"))]


def test_the_lock_file_names_no_place_to_download_from() -> None:
    # npm leaves them out with --omit-lockfile-registry-resolved; what it says of funding, a hand does.
    assert not _lines_matching(re.compile(r'"resolved"|\.tgz\b|://'), [LOCK])


@pytest.mark.parametrize("name", [n for n in PYTHON if n.startswith(TRAVELLING) or n in TRAVELLING_FILES])
def test_what_travels_is_readable_by_the_oldest_python(name: str) -> None:
    tree = ast.parse(_read(name), feature_version=OLDEST_JOB_PYTHON)
    annotated = [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AnnAssign))]
    futures = [n for n in tree.body if isinstance(n, ast.ImportFrom) and n.module == "__future__"]
    assert futures or not annotated, "begin with: from __future__ import annotations"
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.Match)]
