"""Whether an object really came from a piece of source: never ship source that has gone stale."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from functools import lru_cache
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


@lru_cache(maxsize=256)
def compiled(node: ast.stmt | ast.Lambda | ast.Module, flags: int) -> CodeType:
    """The code of a module, a statement or a lambda, compiled under a function's own future flags."""
    tree: ast.Module | ast.Expression
    if isinstance(node, ast.Lambda):
        tree = ast.Expression(body=node)
    else:
        tree = node if isinstance(node, ast.Module) else ast.Module(body=[node], type_ignores=[])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code: CodeType = compile(
            tree,
            "<cumulus>",
            "eval" if isinstance(tree, ast.Expression) else "exec",
            flags=(flags & _FUTURE_FLAGS) | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
            dont_inherit=True,
        )
    return code


def compilations(node: ast.stmt | ast.Lambda, module: ast.Module, flags: int) -> Iterator[CodeType]:
    """The code of one definition: by itself, as IPython compiles it, and as a part of its module.

    They differ, because the compiler looks at what else the module imports.
    """
    flags &= _FUTURE_FLAGS
    yield compiled(node, flags)
    yield compiled(module, flags)


def inner_codes(code: CodeType, deep: bool = False) -> Iterator[CodeType]:
    """The code objects that are constants of ``code``; also inside the scope of type parameters."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            if deep or constant.co_name.startswith("<generic parameters of"):
                yield from inner_codes(constant, deep)


def function_matches(
    function: FunctionType, node: ast.FunctionDef | ast.AsyncFunctionDef, module: ast.Module
) -> bool:
    """True where this statement, compiled, gives the function's code."""
    code = function.__code__
    return any(_holds(whole, code) for whole in compilations(node, module, code.co_flags))


def lambda_matches(function: FunctionType, node: ast.Lambda, module: ast.Module) -> bool:
    """True where this is the very lambda; two on one line are told apart by their columns."""
    code = function.__code__
    *_, itself = inner_codes(compiled(node, code.co_flags & _FUTURE_FLAGS))
    if len(list(inner_codes(itself, deep=True))) != len(list(inner_codes(code, deep=True))):
        return False  # it stands inside the other, or around it
    first, last = node.col_offset, node.end_col_offset or 0
    positions = list(code.co_positions())
    for whole in compilations(node, module, code.co_flags):
        for candidate in inner_codes(whole, deep=True):
            if same_code(candidate, code) and list(candidate.co_positions()) == positions:
                return all(
                    at[0] != node.lineno or first <= (at[2] or first) and (at[3] or last) <= last
                    for at in positions[1:]
                )
    return False


def class_matches(cls: type, node: ast.ClassDef, module: ast.Module) -> bool:
    """True where this statement made the class, and no code has been patched into it since.

    Plain attributes may have changed: their values travel beside the source.
    """
    members = dict(vars(cls))
    functions = {name: function for name in members if (function := plain_function(members[name]))}
    own = {name: function for name, function in functions.items() if not is_generated(function)}
    names = set(_body_names(node))
    if any(function.__code__.co_name != "<lambda>" and name not in names for name, function in own.items()):
        return False
    wanted = [f.__code__ for name, f in own.items() if not hasattr(members[name], "__wrapped__")]
    flags = wanted[0].co_flags if wanted else 0
    for whole in compilations(node, module, flags):
        body = [code for code in inner_codes(whole) if code.co_name == node.name]
        if body and all(any(_holds(each, code, deep=True) for each in body) for code in wanted):
            break
    else:
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
    return any(
        constant.co_firstlineno == wanted.co_firstlineno and same_code(constant, wanted)
        for constant in inner_codes(code, deep)
    )


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
