"""``python -m cumulus_server``: the relay in a server of its own."""

from __future__ import annotations

from cumulus_server.extension import main

main()
