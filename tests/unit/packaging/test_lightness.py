"""Packaging stays out of the way: little is imported, and a plain cell costs next to nothing."""

from __future__ import annotations

import subprocess
import sys

from cumulus_jupyter.packaging import PackageOptions, notebook_of, package_cell
from tests.cost import least_s, yardstick
from tests.unit.packaging.pages import NotebookPage


def test_a_plain_cell_loads_neither_values_nor_definitions() -> None:
    code = (
        "import sys\n"
        "from cumulus_jupyter.packaging import PackageOptions, package_cell\n"
        "package_cell('x = 1', {}, options=PackageOptions())\n"
        "loaded = {name for name in sys.modules if name.startswith('cumulus_jupyter.values')}\n"
        "heavy = {'IPython', 'numpy', 'pandas', 'importlib.metadata', 'difflib', 'pickletools'}\n"
        "print(sorted(loaded | (heavy & set(sys.modules))))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_plain_cell_is_packaged_in_microseconds(page: NotebookPage) -> None:
    page.names.update({f"name_{number}": number for number in range(200)})
    notebook, options = notebook_of(page.shell), PackageOptions(title="Cell In[3]", line_offset=1)

    def package() -> None:
        package_cell("x = 1", page.names, notebook=notebook, options=options)

    assert least_s(package) < least_s(yardstick)
