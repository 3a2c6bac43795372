"""``jupyter cumulus`` and ``python -m cumulus_server``: the relay in a server of its own."""

from __future__ import annotations

import sys


def main() -> None:
    """Start a headless relay with the arguments of the command line."""
    # Jupyter's event schemas import this to check IRIs, which takes a second to load; the relay has none.
    # ``None`` in that place is how Python is told not to import a module; typeshed knows modules only.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    from cumulus_server.extension import main as launch

    launch()


if __name__ == "__main__":
    main()
