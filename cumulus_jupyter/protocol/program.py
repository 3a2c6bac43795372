"""The program inside a submission: written by packaging, read by the runner.

The relay stores it without looking inside.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional

#: Root name of a program's last expression, or of a call's return value.
RESULT = "@result"
#: Root names of a call's function and arguments.
FUNCTION, ARGS, KWARGS = "@function", "@args", "@kwargs"
#: Name of the stored container that holds the blobs of a result.
OUTPUTS = "@outputs"


@dataclass(frozen=True)
class Program:
    """One cell, or one function call, with everything it reads."""

    #: "cell": ``source`` is run in an IPython shell; "call": ``@function(*@args, **@kwargs)``.
    kind: str
    source: str = ""
    #: What tracebacks call the source, such as "Cell In[3]".
    title: str = "Cell"
    #: Lines of ``source`` above which the notebook's cell has lines of its own (the magic's line).
    line_offset: int = 0
    #: Import statements of earlier cells that the program relies on; run first, in order.
    imports: List[str] = field(default_factory=list)
    #: The object graph of all shipped values and definitions (see ``values``).
    graph: Optional[Dict[str, Any]] = None
    #: Small blobs of the graph, base64 by blob id; the others are ``blobs/ID`` in the bundle.
    inline_blobs: Dict[str, str] = field(default_factory=dict)
    #: Names to bring back; ``None`` for all that the cell assigned or changed.
    outputs: Optional[List[str]] = None
    #: Names the cell assigns, deletes or declares global, as found by reading it.
    assigned: List[str] = field(default_factory=list)
    #: True: values without a safe encoding come back pickled.
    pickle_results: bool = False
    #: Values larger than this stay behind, in bytes.
    value_limit_bytes: int = 64 * 2**20
    #: How matplotlib figures are drawn: "png", "retina", "svg".
    figure_format: str = "png"
    figure_dpi: Optional[float] = None


def program_from_wire(body: Mapping[str, Any]) -> Program:
    """The program a JSON object stands for; unknown fields are passed over."""
    names = Program.__dataclass_fields__
    return Program(**{key: value for key, value in body.items() if key in names})
