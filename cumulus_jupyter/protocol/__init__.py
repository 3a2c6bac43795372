"""Wire types shared by the client, the relay and the runner.

Standard library only, and Python 3.9 syntax: the runner carries this package into
interpreters that have nothing else installed.
"""

from __future__ import annotations

#: Version of the wire protocol. A client and a relay must agree on it exactly.
PROTOCOL_VERSION = 1
#: Header in which client, relay and runner name the protocol they speak.
PROTOCOL_HEADER = "Cumulus-Protocol"
#: Where the relay's routes live, below the Jupyter server's base URL.
API_PATH = "cumulus/api/v1"
