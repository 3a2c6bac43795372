"""What travels with a cell, and that the cell then does elsewhere what it would have done here."""

from __future__ import annotations

import pytest

from cumulus_jupyter.packaging import PackageOptions, package_cell
from cumulus_jupyter.protocol.errors import InvalidArgument
from tests.unit.packaging.pages import NotebookPage, elsewhere, shipped


def test_a_cell_that_reads_nothing_ships_nothing(page: NotebookPage) -> None:
    page.run("secret = 1")
    packaged = page.package("x = 1", title="Cell In[3]", line_offset=1)
    program = packaged.program
    assert (program.graph, program.imports, program.inline_blobs) == (None, [], {})
    assert (program.source, program.title, program.line_offset) == ("x = 1", "Cell In[3]", 1)
    assert program.assigned == ["x"]


def test_only_what_is_read_is_shipped(page: NotebookPage) -> None:
    page.run("a, b, c = 1, 2, 3")
    assert shipped(page.package("a + b")) == {"a", "b"}


def test_leading_blank_lines_keep_the_cells_line_numbers(page: NotebookPage) -> None:
    program = page.package("\n\nx = 1", line_offset=1).program
    assert (program.source, program.line_offset) == ("x = 1", 3)


def test_functions_take_along_what_they_read(page: NotebookPage) -> None:
    page.run("k = 3\nunused = 4")
    page.run("def scale(x): return x * k\ndef twice(x): return scale(scale(x))")
    packaged = page.package("y = twice(2)")
    assert shipped(packaged) == {"twice", "scale", "k"}
    assert elsewhere(packaged)["y"] == 18


def test_what_the_cell_assigns_before_the_call_is_not_shipped(page: NotebookPage) -> None:
    page.run("k = 3\ndef scale(x): return x * k")
    packaged = page.package("k = 5\ny = scale(2)")
    assert shipped(packaged) == {"scale"}
    assert elsewhere(packaged)["y"] == 10


def test_what_the_cell_assigns_after_the_call_is_shipped(page: NotebookPage) -> None:
    page.run("k = 3\ndef scale(x): return x * k")
    packaged = page.package("y = scale(2)\nk = 5")
    assert elsewhere(packaged)["y"] == 6


def test_methods_and_instances_take_along_what_they_read(page: NotebookPage) -> None:
    page.run("from math import sqrt\nbias = 1\ndef f(x): return sqrt(x) + bias")
    page.run("class Base:\n    def go(self): return f(self.v)\nclass Model(Base):\n    pass")
    page.run("model = Model()\nmodel.v = 9.0")
    packaged = page.package("y = model.go()")
    assert shipped(packaged) >= {"model", "f", "bias"}
    assert elsewhere(packaged)["y"] == 4.0


def test_definitions_inside_other_values_are_found(page: NotebookPage) -> None:
    page.run("k = 2\nimport math as m\ndef f(x): return m.floor(x) * k")
    page.run("steps = [{'run': f}, lambda x: x + k]")
    packaged = page.package("y = [steps[0]['run'](2.5), steps[1](3)]")
    assert elsewhere(packaged)["y"] == [4, 5]


def test_decorated_functions_are_decorated_again(page: NotebookPage) -> None:
    page.run("import functools\n@functools.lru_cache\ndef fib(n): return n if n < 2 else fib(n-1) + fib(n-2)")
    page.run("def shout(f):\n    @functools.wraps(f)\n    def g(*a): return f(*a).upper()\n    return g")
    page.run("@shout\ndef greet(name): return 'hi ' + name")
    packaged = page.package("y = fib(10), greet('ann')")
    assert elsewhere(packaged)["y"] == (55, "HI ANN")


def test_imports_of_earlier_cells_hold(page: NotebookPage) -> None:
    page.run("import json as js, xml.dom.minidom, os.path\nfrom collections import OrderedDict as OD")
    packaged = page.package(
        "y = js.dumps(OD(a=1)), xml.dom.minidom.parseString('<a/>').documentElement.tagName, os.path.sep"
    )
    assert packaged.program.graph is None
    assert elsewhere(packaged)["y"] == ('{"a": 1}', "a", "/")


def test_imports_that_only_a_function_needs_hold(page: NotebookPage) -> None:
    page.run(
        "import xml.dom.minidom\ndef tag(t): return xml.dom.minidom.parseString(t).documentElement.tagName"
    )
    packaged = page.package("y = tag('<b/>')")
    assert "import xml.dom.minidom" in packaged.program.imports
    assert elsewhere(packaged)["y"] == "b"


def test_star_imports_of_earlier_cells_hold(page: NotebookPage) -> None:
    page.run("from math import *")
    assert elsewhere(page.package("y = floor(pi)"))["y"] == 3


def test_functions_defined_with_future_annotations_keep_them(page: NotebookPage) -> None:
    page.run("from __future__ import annotations\ndef f(x: Undefined) -> Missing: return x")
    assert elsewhere(page.package("y = f(1)"))["y"] == 1


def test_globals_that_functions_assign_are_brought_back(page: NotebookPage) -> None:
    page.run("def count():\n    global total\n    total = 5\nclass A:\n    def go(self): count()\na = A()")
    assert page.package("a.go()").program.assigned == ["total"]


def test_a_deleted_name_travels_without_its_value(page: NotebookPage) -> None:
    page.run("big = list(range(10**5))")
    packaged = page.package("del big")
    assert packaged.program.graph is not None
    assert packaged.program.graph["roots"] == {"big": None}
    assert "big" not in elsewhere(packaged)


def test_names_of_the_shell_do_not_travel(page: NotebookPage) -> None:
    assert shipped(page.package("get_ipython(); exit; open; In; __name__; display")) == set()


def test_magics_and_commands_ship_what_they_name(page: NotebookPage) -> None:
    page.run("folder, n = '/', 3")
    assert shipped(page.package("!ls {folder}\n%timeit -n 1 sum(range(n))")) == {"folder", "n"}


def test_an_automagic_is_no_unknown_name(page: NotebookPage) -> None:
    assert shipped(page.package("pwd")) == set()
    with pytest.raises(InvalidArgument):
        page.package("pwd\nx = 1")


def test_inputs_restrict_data_and_keep_definitions(page: NotebookPage) -> None:
    page.run("a, b, c, k = 1, 2, 3, 4\ndef f(): return k")
    packaged = page.package("try: y = a + b + f()\nexcept NameError: y = 'no b'", inputs=("a", "c"))
    assert shipped(packaged) == {"a", "c", "f", "k"}
    assert elsewhere(packaged)["y"] == "no b"


def test_outputs_are_passed_on(page: NotebookPage) -> None:
    assert page.package("x = y = 1", outputs=("x",)).program.outputs == ["x"]
    with pytest.raises(InvalidArgument, match="does not assign 'z'"):
        page.package("x = 1", outputs=("z",))


def test_settings_reach_the_program(page: NotebookPage) -> None:
    program = page.package(
        "x = 1", pickle_results=True, value_limit_bytes=5, figure_format="svg", figure_dpi=99.0
    ).program
    assert (program.pickle_results, program.value_limit_bytes) == (True, 5)
    assert (program.figure_format, program.figure_dpi) == ("svg", 99.0)


def test_aliases_stay_aliases(page: NotebookPage) -> None:
    page.run("a = [1]; b = a; box = {'a': a}")
    assert elsewhere(page.package("a.append(2)\ny = b is a and box['a'] is b and b"))["y"] == [1, 2]


def test_a_cell_can_be_packaged_without_a_shell() -> None:
    packaged = package_cell("%time y = x + 1", {"x": 1}, options=PackageOptions())
    assert shipped(packaged) == {"x"}


def test_large_values_stay_out_of_the_program(page: NotebookPage) -> None:
    page.run("import numpy as np\nsmall = np.arange(10)\nbig = np.arange(100_000)")
    assert not page.package("small.sum()").blobs
    packaged = page.package("y = big.sum() + small.sum()")
    assert len(packaged.blobs) == 2
    assert not packaged.program.inline_blobs
    assert elsewhere(packaged)["y"] == 4999950045


def test_a_value_that_is_no_data_comes_from_its_import(page: NotebookPage) -> None:
    page.run("import sys\nfrom sys import stdout as out")
    packaged = page.package("y = out.fileno")
    assert packaged.program.imports == ["from sys import stdout as out"]


def test_numbered_results_travel_alone(page: NotebookPage) -> None:
    page.names["Out"].update({3: [1], 4: (i for i in [1])})
    packaged = page.package("y = Out[3] + [2]")
    assert elsewhere(packaged)["y"] == [1, 2]
    with pytest.raises(InvalidArgument, match="Out is a dict"):
        page.package("len(Out)")


def test_a_users_own_meaning_of_a_shells_name_travels(page: NotebookPage) -> None:
    page.run("k = 1\ndef display(x): return x + k")
    assert shipped(page.package("display(1)")) == {"display", "k"}


def test_a_remote_function_is_its_own_function_there(page: NotebookPage) -> None:
    page.run("from cumulus_jupyter import remote\n@remote\ndef half(n): return n and half(n // 2) + 1")
    packaged = page.package("y = half(8)")
    assert not packaged.pickled
    assert elsewhere(packaged)["y"] == 4
    assert elsewhere(page.call(page.names["half"].local, 4))["@result"] == 3


def test_the_shells_functions_are_known_outside_a_shell() -> None:
    assert shipped(package_cell("display(get_ipython())", {})) == set()
