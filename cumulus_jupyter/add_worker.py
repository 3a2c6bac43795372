"""``jupyter cumulus add-worker``: the line that adds a worker to the relay that runs."""

from __future__ import annotations

import sys
from typing import Any

from traitlets import Unicode
from traitlets.config import Application

from . import __version__
from .client.api import CumulusClient
from .client.discovery import Discovery, local_candidate
from .protocol.errors import CumulusError
from .view.enrolment import sentence

_START = "Start one with: jupyter cumulus (it stays in the foreground). Or name one with --url, its token in"
_START += " the environment as CUMULUS_TOKEN."


class AddWorkerApp(Application):
    """Print the line that makes a host a worker of the relay that runs.

    The line goes to the standard output, and what to know of it to the standard error.
    """

    name = "jupyter-cumulus add-worker"
    version = __version__
    description = __doc__
    aliases = {"url": "AddWorkerApp.url"}
    url = Unicode(
        "", help="The relay's address; empty: found as notebooks find it. Its token: CUMULUS_TOKEN."
    ).tag(config=True)

    def initialize(self, argv: Any = None) -> None:
        """Read the command line."""
        self.parse_command_line(argv)
        if self.extra_args:
            print(f"There is nothing to say after add-worker: {' '.join(self.extra_args)}", file=sys.stderr)
            self.exit(2)

    def start(self) -> None:
        """Ask the relay."""
        discovery = Discovery(self.url or None, autostart=False)
        try:
            with CumulusClient(discovery=discovery) as client:
                token = client.add_worker()
        except CumulusError as error:
            none = not self.url and local_candidate(discovery.folder) is None
            print(f"{error.message}. {_START}" if none else str(error), file=sys.stderr)
            self.exit(1)
        print(token.command)
        print(sentence(token), file=sys.stderr)
