"""The card's modules as the one that anywidget loads."""

from __future__ import annotations

import re

from cumulus_jupyter.view.front import joined, script, style

_FILES = {
    "a.js": 'export const one = 1;\nexport { one as uno };\nconst text = "import it";\n',
    "b.js": 'import {\n  one,\n} from "./a.js";\nexport function two() {}\n',
    "entry.js": "import { two } from './b.js';\n"
    "import { one } from './a.js';\nexport default () => two(one);\n",
}


def test_each_comes_once_after_those_it_needs_and_only_the_last_exports() -> None:
    assert joined("entry.js", _FILES.__getitem__).split() == (
        'const one = 1; const text = "import it"; function two() {} export default () => two(one);'.split()
    )


def test_the_cards_own_modules_join() -> None:
    source = script()
    assert re.findall(r"^(?:import|export)\b.*", source, re.MULTILINE) == ["export default () => {"]
    names = re.findall(r"^(?:async\s+)?(?:function|class|const|let|var)\s+(\w+)", source, re.MULTILINE)
    assert len(names) == len(set(names)), "two modules declare the same name"
    assert style() is not None
