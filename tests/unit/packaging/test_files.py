"""Local modules travel as files; installed ones and Python's own do not."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from cumulus_jupyter.packaging.files import DATA_FILE_LIMIT_BYTES, collect
from cumulus_jupyter.packaging.modules import INSTALLED, LOCAL, MEMORY, STANDARD, UNKNOWN, origin_of
from cumulus_jupyter.protocol.errors import InvalidArgument
from tests.unit.packaging.pages import NotebookPage


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A notebook's folder, with modules next to it."""
    tree = {
        "helper_one.py": "import helper_two\nimport numpy\ndef f(x): return x + 1\nclass Box: pass\n",
        "helper_two.py": "def late():\n    from helper_pkg.sub import deep\n",
        "helper_pkg/__init__.py": "from . import sub\n",
        "helper_pkg/sub/__init__.py": "",
        "helper_pkg/sub/deep.py": "import helper_three",
        "helper_pkg/table.csv": "a,b\n",
        "helper_pkg/__pycache__/x.pyc": "",
        "helper_pkg/.hidden/x.py": "",
        "helper_pkg/venv/pyvenv.cfg": "",
        "helper_three.py": "",
        "helper_ns/part.py": "",
        "helper_ns/notes.txt": "",
        "other.py": "",
    }
    for name, text in tree.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("helper_")]:
        del sys.modules[name]


PACKAGE = {f"helper_pkg/{name}" for name in ("__init__.py", "sub/__init__.py", "sub/deep.py", "table.csv")}


def test_a_module_brings_what_it_imports(project: Path) -> None:
    found = collect(["helper_one"])
    assert set(found.files) == {"helper_one.py", "helper_two.py", "helper_three.py"} | PACKAGE
    assert list(found.installed) == ["numpy"]


def test_a_submodule_brings_its_whole_package(project: Path) -> None:
    assert set(collect(["helper_pkg.sub.deep"]).files) == {"helper_three.py"} | PACKAGE


def test_a_namespace_package_brings_its_code(project: Path) -> None:
    assert set(collect(["helper_ns.part"]).files) == {"helper_ns/part.py"}


def test_a_changed_file_is_read_again(project: Path) -> None:
    assert "other.py" not in collect(["helper_three"]).files
    (project / "helper_three.py").write_text("import other  # new")
    assert "other.py" in collect(["helper_three"]).files


def test_large_data_files_are_left_out_and_named(project: Path) -> None:
    with open(project / "helper_pkg/weights.bin", "wb") as file:
        file.truncate(DATA_FILE_LIMIT_BYTES + 1)
    found = collect(["helper_pkg"])
    assert "helper_pkg/weights.bin" not in found.files
    assert "weights.bin" in found.notes[0]


def test_an_editable_install_is_local(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    source = tmp_path_factory.mktemp("src") / "helper_editable"
    source.mkdir()
    (source / "__init__.py").write_text("")

    class Finder:
        """What ``pip install -e`` of setuptools puts on ``sys.meta_path``."""

        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> object:
            if name != "helper_editable":
                return None
            return importlib.util.spec_from_file_location(
                name, source / "__init__.py", submodule_search_locations=[str(source)]
            )

    sys.meta_path.append(Finder)  # type: ignore[arg-type]
    try:
        assert set(collect(["helper_editable"]).files) == {"helper_editable/__init__.py"}
    finally:
        sys.meta_path.remove(Finder)  # type: ignore[arg-type]


def test_a_module_of_the_notebooks_folder_is_found_off_the_path(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "beside.py").write_text("")
    assert origin_of("beside").kind == UNKNOWN
    assert origin_of("beside", folder).kind == LOCAL


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("json", STANDARD), ("sys", STANDARD), ("os", STANDARD), ("numpy", INSTALLED), ("pytest", INSTALLED),
        ("cumulus_jupyter", INSTALLED), ("no_such_module_anywhere", UNKNOWN),
    ],
)  # fmt: skip
def test_origins(name: str, kind: str) -> None:
    assert origin_of(name).kind == kind


def test_a_module_made_by_hand_is_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "handmade", ModuleType("handmade"))
    assert origin_of("handmade").kind == MEMORY


@pytest.mark.parametrize(
    ("before", "cell"),
    [
        ("", "import helper_three"),
        ("", "def f():\n    from helper_three import x\nf"),
        ("import helper_three as h3", "h3"),
        ("def f():\n    import helper_three", "f()"),
        ("import helper_one\ngo = helper_one.f", "go(1)"),
        ("from helper_one import f as go", "go(1)"),
        ("from helper_one import Box\nbox = Box()\nboxes = [box]", "boxes"),
        ("import helper_one\nfs = {'f': helper_one.f}", "fs"),
        ("import helper_one, functools\ng = functools.partial(helper_one.f, 1)", "g()"),
    ],
)
def test_cells_bring_the_modules_they_use(project: Path, page: NotebookPage, before: str, cell: str) -> None:
    if before:
        page.run(before)
    assert "helper_three.py" in page.package(cell).files


def test_a_script_that_a_magic_runs_travels(project: Path, page: NotebookPage) -> None:
    assert set(page.package("%run other.py").files) == {"other.py"}


def test_unused_modules_stay(project: Path, page: NotebookPage) -> None:
    page.run("import helper_one")
    packaged = page.package("x = 1")
    assert (packaged.files, packaged.program.imports) == ({}, [])


def test_a_module_in_memory_is_refused(page: NotebookPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "handmade", ModuleType("handmade"))
    page.run("import handmade")
    with pytest.raises(InvalidArgument, match="'handmade' exists only in this notebook's memory"):
        page.package("handmade")


def test_installed_modules_are_named(page: NotebookPage) -> None:
    assert page.package("import numpy as np, no_such_module, json").installed == ("numpy",)
