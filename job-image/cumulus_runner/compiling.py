"""Source of a cell to code, on the line numbers that the notebook's cell has."""

from __future__ import annotations
import __future__

import ast
import linecache
from types import CodeType
from typing import List, Optional

_FUTURE_FLAGS = 0
for _name in __future__.all_feature_names:
    _FUTURE_FLAGS |= getattr(__future__, _name).compiler_flag
_TOP_LEVEL_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


class CompiledCell:
    """A cell ready to run: its statements, then its last expression."""

    def __init__(self, body: Optional[CodeType], last: Optional[CodeType]) -> None:
        self.body, self.last = body, last


def filename_of(title: str) -> str:
    """What code objects of a cell with this title call their file."""
    return f"<{title}>"


def title_of(filename: str) -> Optional[str]:
    """The title, if this is a name that ``filename_of`` made."""
    if filename.startswith("<Cell") and filename.endswith(">"):
        return filename[1:-1]
    return None


def remember_lines(source: str, filename: str) -> None:
    """Let tracebacks show the lines of this source."""
    lines = [line + "\n" for line in source.split("\n")]
    linecache.cache[filename] = (len(source), None, lines, filename)


def compile_cell(source: str, filename: str) -> CompiledCell:
    """Compile source that is plain Python by now. Raises ``SyntaxError``.

    The last expression's value is wanted unless a semicolon follows it.
    """
    flags = _TOP_LEVEL_AWAIT if "a" in source and ("await" in source or "async" in source) else 0
    tree = compile(source, filename, "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    statements: List[ast.stmt] = tree.body
    final = statements[-1] if statements else None
    wanted = isinstance(final, ast.Expr) and not _ends_in_semicolon(source)
    body: Optional[CodeType] = None
    last: Optional[CodeType] = None
    if wanted:
        assert isinstance(final, ast.Expr)
        if len(statements) > 1:
            module = ast.Module(statements[:-1], tree.type_ignores)
            body = compile(module, filename, "exec", flags, dont_inherit=True)
            flags |= body.co_flags & _FUTURE_FLAGS
        last = compile(ast.Expression(final.value), filename, "eval", flags, dont_inherit=True)
    else:
        body = compile(tree, filename, "exec", flags, dont_inherit=True)
    return CompiledCell(body, last)


def _ends_in_semicolon(source: str) -> bool:
    if ";" not in source:
        return False
    import tokenize
    from io import StringIO

    last = ""
    skip = (tokenize.ENDMARKER, tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT)
    try:
        for token in tokenize.generate_tokens(StringIO(source).readline):
            if token.type not in skip:
                last = token.string
    except (tokenize.TokenError, SyntaxError):
        return False
    return last == ";"
