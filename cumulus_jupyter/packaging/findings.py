"""What reading code finds, before any value is looked at."""

from __future__ import annotations

from dataclasses import dataclass, field

#: How sure it is that a name must be there. ``SOFT``: it is taken along where that is possible.
#: ``READ``: it is taken along, or named as the reason why not. ``CERTAIN``: it is read whatever
#: happens, so that a name that does not exist is an error before anything is sent.
SOFT, READ, CERTAIN = 0, 1, 2


@dataclass(eq=False)
class Findings:
    """Global names that a piece of code touches when it runs, in the order of their first use."""

    #: Name -> SOFT, READ or CERTAIN; names the code has certainly assigned before are not here.
    reads: dict[str, int] = field(default_factory=dict)
    #: Name -> the names that were certainly assigned each time it was read.
    assigned_before: dict[str, frozenset[str]] = field(default_factory=dict)
    writes: dict[str, None] = field(default_factory=dict)
    #: Names that must be there to be deleted, graded like ``reads``; their values do not matter.
    needed: dict[str, int] = field(default_factory=dict)
    deletes: dict[str, None] = field(default_factory=dict)
    #: Names that functions assign through ``global``.
    globals: dict[str, None] = field(default_factory=dict)
    #: Modules imported, by dotted name; relative ones keep their leading dots.
    imports: dict[str, None] = field(default_factory=dict)
    #: Name -> dotted attribute paths read from it: ``xml.dom.Node`` is {"xml": {"dom.Node"}}.
    attributes: dict[str, set[str]] = field(default_factory=dict)
    #: "Out" or "_oh" -> the numbers read from it, where only numbered results are read.
    results: dict[str, set[int]] = field(default_factory=dict)
    #: Files that magics read, as written.
    files: dict[str, None] = field(default_factory=dict)
    #: Certainly assigned when the code has run to its end.
    assigned: frozenset[str] = frozenset()
    #: Why names may appear that reading cannot find: "star import", "exec", "%magic".
    opaque: str = ""

    def read(self, name: str, grade: int, before: frozenset[str]) -> None:
        """Note that ``name`` is read when the names in ``before`` are assigned."""
        known = self.reads.get(name, -1)
        if grade > known:
            self.reads[name] = grade
        earlier = self.assigned_before.get(name)
        self.assigned_before[name] = before if earlier is None else earlier & before

    def take_all_but_reads(self, other: Findings) -> None:
        """Add what ``other`` writes, imports and so on; its reads depend on when it runs."""
        self.deletes.update(other.deletes)
        self.needed.update(other.needed)
        self.globals.update(other.globals)
        self.take_references(other)

    def take_references(self, other: Findings) -> None:
        """Add imports and attribute paths of ``other``."""
        self.imports.update(other.imports)
        self.files.update(other.files)
        for name, keys in other.results.items():
            self.results.setdefault(name, set()).update(keys)
        for name, paths in other.attributes.items():
            self.attributes.setdefault(name, set()).update(paths)
        self.opaque = self.opaque or other.opaque
