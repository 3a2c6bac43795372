"""Terminal text as HTML: escaped, with classes that notebooks colour, and nothing else."""

from __future__ import annotations

import pytest

from cumulus_jupyter.view.ansi import ansi_html


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a < b & c", "a &lt; b &amp; c"),
        ("\x1b[31mred\x1b[0m plain", '<span class="ansi-red-fg">red</span> plain'),
        ("\x1b[1;32mok\x1b[22m!\x1b[m", '<span class="ansi-green-fg ansi-bold">ok</span>'
         '<span class="ansi-green-fg">!</span>'),
        ("\x1b[91;44mx\x1b[39m", '<span class="ansi-red-intense-fg ansi-blue-bg">x</span>'),
        ("\x1b[38;5;208mx\x1b[38;2;1;2;3my\x1b[4mz", 'xy<span class="ansi-underline">z</span>'),
        ("\x1b[2K\x1b[1A\x1b]0;title\x07text\x08", "text"),
        ("\x1b[31<m<b>", "&lt;b&gt;"),
        ("\x1b[" + "9" * 5000 + "m1", "1"),
    ],
)  # fmt: skip
def test_html(text: str, shown: str) -> None:
    assert ansi_html(text) == shown
