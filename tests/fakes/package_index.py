"""A package index with one distribution, for installers in containers."""

from __future__ import annotations

import contextlib
import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.integration.runner.test_requirements import make_wheel

#: An index that does not answer.
NOWHERE = "http://127.0.0.1:9/"


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def package_index(folder: Path, host: str) -> Iterator[dict[str, str]]:
    """An installer's settings by which it finds ``sample_of_cumulus`` at this address, and nothing else."""
    wheels = folder / "wheels"
    make_wheel(wheels / "sample-of-cumulus", "sample_of_cumulus")
    handler = functools.partial(_QuietHandler, directory=str(wheels))
    with http.server.ThreadingHTTPServer((host, 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        url = f"http://{host}:{server.server_address[1]}/"
        yield {"PIP_INDEX_URL": url, "PIP_TRUSTED_HOST": host}
        server.shutdown()
        thread.join()
