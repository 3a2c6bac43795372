"""Function calls: for scripts, ``CumulusClient.run`` and ``@remote``."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from cumulus_jupyter.packaging import package_call
from tests.unit.packaging.pages import NotebookPage, elsewhere, shipped

CALL = {"@function", "@args", "@kwargs"}


def test_a_notebooks_function(page: NotebookPage) -> None:
    page.run("k = 3\nunused = 1\ndef f(x, *, y=0): return x * k + y")
    packaged = page.call(page.names["f"], 2, y=1)
    assert shipped(packaged) == CALL | {"f", "k"}
    assert packaged.program.kind == "call"
    assert packaged.program.title == "f"
    assert elsewhere(packaged)["@result"] == 7


def test_a_lambda(page: NotebookPage) -> None:
    page.run("import math\nf = lambda x: math.floor(x)")
    packaged = page.call(page.names["f"], 2.5)
    assert packaged.program.imports == ["import math"]
    assert elsewhere(packaged)["@result"] == 2


def test_a_method_of_a_notebooks_class(page: NotebookPage) -> None:
    page.run(
        "k = 3\nclass A:\n    def __init__(self): self.v = 2\n    def go(self, x): return self.v * x + k"
    )
    page.run("a = A()")
    packaged = page.call(page.names["a"].go, 5)
    assert not packaged.pickled
    assert elsewhere(packaged)["@result"] == 13


def test_functions_among_the_arguments(page: NotebookPage) -> None:
    page.run("k = 3\ndef apply(f, xs): return [f(x) for x in xs]\ndef g(x): return x + k")
    packaged = page.call(page.names["apply"], page.names["g"], [1, 2])
    assert elsewhere(packaged)["@result"] == [4, 5]


def test_an_importable_function() -> None:
    packaged = package_call(math.hypot, (3, 4))
    assert shipped(packaged) == CALL
    assert elsewhere(packaged)["@result"] == 5.0


def test_a_function_of_a_local_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "local_steps.py").write_text("import local_base\ndef step(x): return x + 1\n")
    (tmp_path / "local_base.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    import local_steps  # type: ignore[import-not-found]

    try:
        assert set(package_call(local_steps.step, (1,)).files) == {"local_steps.py", "local_base.py"}
    finally:
        del sys.modules["local_steps"], sys.modules["local_base"]


SCRIPT = """
import json
from pathlib import Path
from cumulus_jupyter.packaging import package_call
from dataclasses import asdict

FACTOR = 3
KEPT_HERE = 4


class Model:
    def __init__(self, width): self.width = width
    def area(self): return self.width * FACTOR


def train(width):
    return json.dumps(Model(width).area())


if __name__ == "__main__":
    print(json.dumps(asdict(package_call(train, (5,)).program)))
"""


def test_a_scripts_own_function(tmp_path: Path) -> None:
    import json

    from cumulus_jupyter.packaging import Packaged
    from cumulus_jupyter.protocol.program import program_from_wire

    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    packaged = Packaged(program_from_wire(json.loads(done.stdout)))
    assert shipped(packaged) == CALL | {"train", "Model", "FACTOR"}
    assert packaged.program.imports == ["import json"]
    assert elsewhere(packaged)["@result"] == "15"
