"""What IPython's own syntax reads: line magics, cell magics, ``!commands`` and ``$x``, ``{x}`` in them.

A cell has gone through IPython's input transformer by then, so that each of these is a call such as
``get_ipython().run_line_magic('timeit', 'f(x)')``.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from .findings import CERTAIN, READ, SOFT

if TYPE_CHECKING:
    from .expressions import ExpressionReader

_METHODS = frozenset({"run_line_magic", "run_cell_magic", "system", "getoutput", "magic", "run_cell"})
#: Magics whose argument is Python; only those of ``_RUNS_HERE`` assign names here.
_PYTHON = frozenset(
    "timeit time prun memit mprun lprun debug capture "
    "pinfo pinfo2 pdef pdoc psource pfile who whos store xdel".split()
)
_RUNS_HERE = frozenset({"time", "capture", "prun"})
_RUNS = frozenset({"timeit", "memit", "mprun", "lprun", "debug"})
#: Magics that make no names.
_QUIET = _PYTHON | frozenset(
    "matplotlib config cd pwd ls ll env set_env pip conda uv precision xmode colors pprint "
    "load_ext reload_ext autoreload autosave notebook html HTML bash sh script perl ruby javascript "
    "js latex markdown svg SVG writefile file mkdir cat cp mv rm system sx help !".split()
)
_DOLLAR = re.compile(r"(?<!\$)\$(?:\{(\w+)\}|([A-Za-z_]\w*))")
_BRACES = re.compile(r"\{([^{}]+)\}")
_AT = re.compile(r"@([A-Za-z_]\w*)")
_OUT_OPTION = re.compile(r"--(?:out|err|proc)[ =]([A-Za-z_]\w*)")


def magic_call(node: ast.Call) -> tuple[str, list[str]] | None:
    """The method and arguments of ``get_ipython().METHOD("...", ...)``; ``None`` for other calls."""
    function = node.func
    if not isinstance(function, ast.Attribute) or function.attr not in _METHODS:
        return None
    shell = function.value
    getter = shell.func if isinstance(shell, ast.Call) else None
    if not isinstance(getter, ast.Name) or getter.id != "get_ipython":
        return None
    arguments = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
    if len(arguments) != len(node.args):
        return None
    return function.attr, [str(argument) for argument in arguments]


def read_magic(reader: ExpressionReader, method: str, arguments: list[str]) -> None:
    """Find the names in one magic or command."""
    first, *rest = arguments or [""]
    if method in ("system", "getoutput"):
        _read_expansions(reader, first)
        return
    if method == "run_cell":
        _read_python(reader, first, here=True)
        return
    if method == "magic":
        first, _, line = first.partition(" ")
        rest = [line]
    name = first.lstrip("%")
    line = rest[0] if rest else ""
    body = rest[1] if len(rest) > 1 else None
    _read_expansions(reader, line)
    if name == "run":
        reader.findings.files.update(dict.fromkeys(word for word in line.split()[:1] if word.endswith(".py")))
    if name not in _QUIET:
        reader.findings.opaque = reader.findings.opaque or f"%{name}"
    for variable in _OUT_OPTION.findall(line):
        reader.store(variable)
    here = name in _RUNS_HERE
    most = CERTAIN if here else READ if name in _RUNS else SOFT
    if body is None:
        if name in _PYTHON:
            _read_words(reader, line, here=here, most=most)
        return
    if name == "capture":
        variable = next((word for word in line.split() if word.isidentifier()), None)
        if variable:
            reader.store(variable)
    elif name in _PYTHON:
        _read_words(reader, line, here=False, most=SOFT)
    if name in _PYTHON or name not in _QUIET:
        _read_python(reader, body, here=here, most=most)


def read_text(reader: ExpressionReader, text: str) -> None:
    """Names in a string that is evaluated: ``eval("x + 1")``, ``frame.query("a > @limit")``."""
    for name in _AT.findall(text):
        reader.load_global(name, SOFT)
    _read_python(reader, text, here=False, most=SOFT)


def _read_expansions(reader: ExpressionReader, text: str) -> None:
    """``$name``, ``${name}`` and ``{expression}`` as IPython expands them in lines and commands."""
    for match in _DOLLAR.finditer(text):
        reader.load_global(match[1] or match[2], SOFT)
    for match in _BRACES.finditer(text.replace("{{", "").replace("}}", "")):
        _read_python(reader, match[1].partition("!")[0], here=False, most=SOFT)


def _read_words(reader: ExpressionReader, line: str, *, here: bool, most: int) -> None:
    """Python after the options of a magic: ``-n 10 -r 3 f(x)``."""
    for word in re.finditer(r"\S+", line):
        if not word[0].startswith("-") and _read_python(reader, line[word.start() :], here=here, most=most):
            return


def _read_python(reader: Any, text: str, *, here: bool, most: int = CERTAIN) -> bool:
    """Read Python found inside a string; False where it is not. Without ``here`` it assigns nothing."""
    source = text.strip() if "\n" not in text.strip() else text
    tree = _parsed(source)
    if tree is None and reader.transform is not None:
        tree = _parsed(reader.transform(source))
    if tree is None:
        return False
    grade, writes, done = reader.grade, dict(reader.findings.writes), set(reader.done)
    reader.grade = min(grade, most)
    try:
        reader.body(tree.body)
    finally:
        reader.grade = grade
        if not here:
            reader.findings.writes.clear()
            reader.findings.writes.update(writes)
            reader.done = done
    return True


def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return None
