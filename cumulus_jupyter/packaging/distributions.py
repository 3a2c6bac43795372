"""Which installed distributions give the modules a program imports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Distribution:
    """An installed distribution."""

    name: str
    version: str
    #: Top-level modules of it that the program imports.
    modules: tuple[str, ...]


def distributions_of(modules: Iterable[str]) -> tuple[Distribution, ...]:
    """The distributions of top-level modules, by name. Reads every installed distribution: slow."""
    from importlib.metadata import PackageNotFoundError, packages_distributions, version

    owners = packages_distributions()
    found: dict[str, set[str]] = {}
    for module in modules:
        for name in owners.get(module, ()):
            found.setdefault(name, set()).add(module)
    result = []
    for name in sorted(found, key=str.lower):
        try:
            result.append(Distribution(name, version(name), tuple(sorted(found[name]))))
        except PackageNotFoundError:
            continue
    return tuple(result)
