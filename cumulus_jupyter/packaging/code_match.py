"""Whether an object really came from a piece of source: never ship source that has gone stale."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from .modules import is_installed

#: Types of class attributes whose values travel beside the source.
_PLAIN = (bool, int, float, complex, str, bytes, type(None), list, dict, tuple, set, frozenset)
#: ``from __future__`` flags, which code inherits from the cell it was compiled in.
_FUTURE_FLAGS = 0x1FFE000


def same_code(one: CodeType, other: CodeType) -> bool:
    """True where two code objects do the same, whatever their files are called."""
    return (
        one.co_code == other.co_code
        and one.co_name == other.co_name
        and one.co_names == other.co_names
        and one.co_varnames == other.co_varnames
        and one.co_freevars == other.co_freevars
        and one.co_cellvars == other.co_cellvars
        and (one.co_argcount, one.co_posonlyargcount, one.co_kwonlyargcount)
        == (other.co_argcount, other.co_posonlyargcount, other.co_kwonlyargcount)
        and len(one.co_consts) == len(other.co_consts)
        and all(map(_same_constant, one.co_consts, other.co_consts))
    )


def _same_constant(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, CodeType):
        return same_code(one, other)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(_same_constant, one, other))
    if isinstance(one, frozenset):
        return {(type(item), item) for item in one} == {(type(item), item) for item in other}
    return repr(one) == repr(other)


def compiled(node: ast.stmt | ast.Lambda, flags: int) -> CodeType:
    """The code of one statement, or of one lambda, compiled under a function's own future flags."""
    tree: ast.Module | ast.Expression
    if isinstance(node, ast.Lambda):
        tree = ast.Expression(body=node)
    else:
        tree = ast.Module(body=[node], type_ignores=[])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code: CodeType = compile(
            tree,
            "<cumulus>",
            "eval" if isinstance(node, ast.Lambda) else "exec",
            flags=(flags & _FUTURE_FLAGS) | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
            dont_inherit=True,
        )
    return code


def inner_codes(code: CodeType) -> Iterator[CodeType]:
    """The code objects that are constants of ``code``; also inside the scope of type parameters."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            if constant.co_name.startswith("<generic parameters of"):
                yield from inner_codes(constant)


def function_matches(function: FunctionType, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """True where this statement, compiled, gives the function's code."""
    return _holds(compiled(node, function.__code__.co_flags), function.__code__)


def lambda_matches(function: FunctionType, node: ast.Lambda) -> bool:
    """True where this is the very lambda; two on one line are told apart by their columns."""
    code = function.__code__
    for candidate in inner_codes(compiled(node, code.co_flags)):
        if same_code(candidate, code):
            return list(candidate.co_positions()) == list(code.co_positions())
    return False


def class_matches(cls: type, node: ast.ClassDef) -> bool:
    """True where this statement made the class, and no code has been patched into it since.

    Plain attributes may have changed: their values travel beside the source.
    """
    members = dict(vars(cls))
    functions = {name: function for name in members if (function := plain_function(members[name]))}
    flags = next((f.__code__.co_flags for f in functions.values() if not is_generated(f)), 0)
    body = next((code for code in inner_codes(compiled(node, flags)) if code.co_name == node.name), None)
    if body is None:
        return False
    names = set(_body_names(node))
    for name, function in functions.items():
        if is_generated(function):
            continue
        if function.__code__.co_name != "<lambda>" and name not in names:
            return False
        if not _holds(body, function.__code__, deep=True) and not hasattr(members[name], "__wrapped__"):
            return False
    if node.decorator_list or type(cls) is not type or hasattr(cls, "_fields"):
        return True
    slots = members.get("__slots__", ())
    made = names | set([slots] if isinstance(slots, str) else slots)
    for name in members.keys() - made:
        if not (name.startswith("__") and name.endswith("__")) and type(members[name]) not in _PLAIN:
            return False
    return names <= members.keys() | _private(names, cls)


def is_generated(function: FunctionType) -> bool:
    """True for what a decorator or a library made: a dataclass's ``__init__``, for one."""
    filename = function.__code__.co_filename
    return filename.startswith(("<string", "<attrs", "<frozen")) or is_installed(Path(filename))


def plain_function(member: object) -> FunctionType | None:
    """The function inside a class member: a method, a property, a static or class method."""
    for attribute in ("__func__", "fget", "func"):
        inner = getattr(member, attribute, None) if not isinstance(member, type) else None
        if isinstance(inner, FunctionType):
            return inner
    return member if isinstance(member, FunctionType) else None


def _holds(code: CodeType, wanted: CodeType, deep: bool = False) -> bool:
    for constant in inner_codes(code):
        if constant.co_name == wanted.co_name and constant.co_firstlineno == wanted.co_firstlineno:
            if same_code(constant, wanted):
                return True
        if deep and constant.co_name != wanted.co_name and _holds(constant, wanted, deep=True):
            return True
    return False


def _body_names(node: ast.ClassDef) -> Iterator[str]:
    for statement in node.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield statement.name
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                for each in ast.walk(target):
                    if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
                        yield each.id
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            if statement.value is not None:
                yield statement.target.id


def _private(names: set[str], cls: type) -> set[str]:
    """Names that are in the class under their mangled form, or not at all."""
    prefix = f"_{cls.__name__.lstrip('_')}"
    return {name for name in names if name.startswith("__") and prefix + name in vars(cls)}
