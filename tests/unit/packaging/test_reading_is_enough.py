"""Whatever a program does with all names there, it does with only those that reading it found."""

from __future__ import annotations

import textwrap
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cumulus_jupyter.packaging import read_cell

NAMES = ["a", "b", "c", "d", "f", "g"]
name = st.sampled_from(NAMES)


def expressions() -> st.SearchStrategy[str]:
    leaves = name | st.sampled_from(["0", "1", "[]", "[a, b]", "{}"])
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(lambda p: f"({p[0]}, {p[1]})"),
            st.tuples(inner, inner).map(lambda p: f"({p[0]} and {p[1]})"),
            st.tuples(inner, inner, inner).map(lambda p: f"({p[0]} if {p[1]} else {p[2]})"),
            st.tuples(name, inner).map(lambda p: f"({p[0]} := {p[1]})"),
            st.tuples(inner, name, inner).map(lambda p: f"[{p[0]} for {p[1]} in each({p[2]})]"),
            st.tuples(inner, name, inner).map(lambda p: f"[{p[1]} for {p[1]} in each({p[2]}) if {p[0]}]"),
            st.tuples(name, inner).map(lambda p: f"(lambda {p[0]}: {p[1]})"),
            st.tuples(name, inner, inner).map(lambda p: f"(lambda {p[0]}={p[1]}: {p[2]})()"),
            inner.map(lambda e: f"call({e})"),
            inner.map(lambda e: f"f'{{{e}}}'"),
        ),
        max_leaves=5,
    )  # fmt: skip


def block(body: list[str]) -> str:
    return textwrap.indent("\n".join(body) or "pass", "    ")


def statements() -> st.SearchStrategy[str]:
    expression = expressions()
    simple = st.one_of(
        st.tuples(name, expression).map(lambda p: f"{p[0]} = {p[1]}"),
        st.tuples(name, name, expression).map(lambda p: f"{p[0]}, {p[1]} = 1, {p[2]}"),
        st.tuples(name, expression).map(lambda p: f"{p[0]} += ({p[1]},)"),
        expression,
        name.map(lambda n: f"del {n}"),
        name.map(lambda n: f"import math as {n}"),
        name.map(lambda n: f"{n}()"),
        st.just("raise ValueError"),
    )

    def compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        body = st.lists(inner, min_size=1, max_size=3).map(block)
        loop = st.lists(inner | st.sampled_from(["break", "continue"]), min_size=1, max_size=3).map(block)
        declared = st.sampled_from(["pass", "global a", "global b, f"]).map(lambda line: f"    {line}\n")
        return st.one_of(
            st.tuples(expression, body, body).map(lambda p: f"if {p[0]}:\n{p[1]}\nelse:\n{p[2]}"),
            st.tuples(name, expression, loop).map(lambda p: f"for {p[0]} in each({p[1]}):\n{p[2]}"),
            st.tuples(name, loop, body).map(lambda p: f"for {p[0]} in range(2):\n{p[1]}\nelse:\n{p[2]}"),
            st.tuples(body, name, body).map(lambda p: f"try:\n{p[0]}\nexcept Exception as {p[1]}:\n{p[2]}"),
            st.tuples(body, body).map(lambda p: f"try:\n{p[0]}\nfinally:\n{p[1]}"),
            st.tuples(name, name, expression, declared, body).map(
                lambda p: f"def {p[0]}({p[1]}={p[2]}):\n{p[3] if p[1] not in p[3] else ''}{p[4]}"
            ),
            st.tuples(name, body).map(lambda p: f"class {p[0]}:\n{p[1]}"),
            st.tuples(name, body).map(lambda p: f"class {p[0]}:\n    def __init__(self):\n{block([p[1]])}"),
            st.tuples(expression, name, body).map(
                lambda p: f"match {p[0]}:\n    case [{p[1]}, *_]:\n{block([p[2]])}\n    case _: pass"
            ),
        )

    return st.recursive(simple, compound, max_leaves=8)


def each(value: Any) -> list[Any]:
    return list(value)[:3] if isinstance(value, (list, tuple)) else []


def call(value: Any) -> Any:
    return value() if callable(value) else None


def outcome(source: str, names: dict[str, Any]) -> tuple[str, str]:
    """The error, and what was assigned."""
    namespace: dict[str, Any] = {**names, "each": each, "call": call, "__name__": "somewhere"}
    error = ""
    try:
        exec(compile(source, "<program>", "exec"), namespace)
    except RecursionError:
        return "RecursionError", ""
    except Exception as problem:
        error = f"{type(problem).__name__}: {problem}"
    kept = {
        name: namespace.get(name, "<gone>")
        for name in NAMES
        if namespace.get(name, ...) is not names.get(name, ...)
    }
    return error, repr({name: type(value).__name__ for name, value in kept.items()})


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(statements(), min_size=1, max_size=6).map("\n".join), st.sets(name))
def test_a_program_needs_no_name_that_was_not_found(source: str, there: set[str]) -> None:
    everything: dict[str, Any] = {name: [name, 1] for name in there}
    try:
        found = read_cell(source)
    except SyntaxError:
        return
    needed = {*found.reads, *found.deletes}
    enough = {name: value for name, value in everything.items() if name in needed}
    error, left = outcome(source, everything)
    here, there_left = outcome(source, enough)
    assert (here, there_left) == (error, left)
    assert {name for name in NAMES if f"'{name}'" in left} <= {*found.writes, *found.deletes}


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(statements(), min_size=1, max_size=4).map("\n".join))
def test_only_names_of_the_program_are_found(source: str) -> None:
    try:
        found = read_cell(source)
    except SyntaxError:
        return
    assert {*found.reads, *found.writes} <= {*NAMES, "each", "call", "range", "Exception", "ValueError"}
