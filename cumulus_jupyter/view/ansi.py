"""Coloured terminal text as HTML, for what a notebook keeps."""

from __future__ import annotations

import html
import re

_SEQUENCE = re.compile(r"\x1b(?:\[([0-9;:]*)m|\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# JupyterLab and nbconvert colour these classes to suit their themes; elsewhere the text stays plain.
_COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")


class _Look:
    """What the text looks like from here on."""

    def __init__(self) -> None:
        self.fore = self.back = ""
        self.marks: set[str] = set()

    def apply(self, codes: list[int]) -> None:
        rest = iter(codes)
        for code in rest:
            if code == 0:
                self.fore = self.back = ""
                self.marks.clear()
            elif code in (1, 4):
                self.marks.add("ansi-bold" if code == 1 else "ansi-underline")
            elif code in (22, 24):
                self.marks.discard("ansi-bold" if code == 22 else "ansi-underline")
            elif code in (38, 48):  # Colours by number have no class; their arguments are passed over.
                for _ in range({5: 1, 2: 3}.get(next(rest, 0), 0)):
                    next(rest, None)
            elif code in (39, 49):
                self._set(code - 9, "")
            elif code % 10 < 8 and code // 10 in (3, 4, 9, 10):
                bright = "-intense" if code >= 90 else ""
                self._set(code, f"ansi-{_COLOURS[code % 10]}{bright}")

    def _set(self, code: int, colour: str) -> None:
        if code // 10 in (3, 9):
            self.fore = colour and f"{colour}-fg"
        else:
            self.back = colour and f"{colour}-bg"

    def classes(self) -> str:
        return " ".join([name for name in (self.fore, self.back) if name] + sorted(self.marks))


def ansi_html(text: str) -> str:
    """The text, escaped, with a ``span`` round what is coloured, bold or underlined."""
    look, parts, at = _Look(), [], 0
    for found in _SEQUENCE.finditer(text):
        parts.append(_part(text[at : found.start()], look))
        at = found.end()
        if found[0].endswith("m") and found[0].startswith("\x1b["):
            words = re.split("[;:]", found[1] or "0")
            look.apply([int(word[:4] or 0) for word in words])
    parts.append(_part(text[at:], look))
    return "".join(parts)


def _part(text: str, look: _Look) -> str:
    shown = html.escape(_CONTROL.sub("", text))
    classes = look.classes()
    return f'<span class="{classes}">{shown}</span>' if shown and classes else shown
