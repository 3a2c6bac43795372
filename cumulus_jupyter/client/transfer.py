"""Bring a stored value from the relay, with no copy between the socket and the arrays in it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from mmap import mmap
from typing import Any

from .answers import away
from .http import Http, segment
from .response import ConnectionLost, Response

_ATTEMPTS = 4


@contextmanager
def fetched_container(
    http: Http, job_id: str, name: str
) -> Iterator[tuple[dict[str, Any], Mapping[str, Any]]]:
    """The graph and blobs of the container stored as ``name``; decode them inside. Raises ``CumulusError``.

    Arrays decoded from it share its memory, which lives on as long as they do.
    """
    from ..values import read_container

    descriptor = _download(http, f"jobs/{segment(job_id)}/values/{segment(name)}")
    try:
        yield read_container(_path_of(descriptor))
    finally:
        os.close(descriptor)


def _download(http: Http, path: str) -> int:
    for attempt in range(_ATTEMPTS):
        endpoint, connection, response = http.open("GET", path)
        descriptor = _anonymous_file()
        try:
            _receive(response, descriptor)
            endpoint.put_back(connection)
            return descriptor
        except OSError as error:
            os.close(descriptor)
            connection.close()
            if attempt == _ATTEMPTS - 1 or not isinstance(error, ConnectionLost):
                raise away(endpoint.url, error) from None
        except BaseException:
            os.close(descriptor)
            connection.close()
            raise
    raise AssertionError("unreachable")


def _receive(response: Response, descriptor: int) -> None:
    size = response.length_bytes
    if size:
        os.ftruncate(descriptor, size)
        with mmap(descriptor, size) as target, memoryview(target) as view:
            response.read_into(view)
        return
    while not response.finished:
        data = response.read_some(60.0)
        if not data and not response.finished:
            raise ConnectionLost("the relay stopped sending")
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]


def _anonymous_file() -> int:
    """A file without a name: in memory where the system has such, else on disk."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("cumulus-value", os.MFD_CLOEXEC)
    descriptor, path = tempfile.mkstemp(prefix="cumulus-value-")
    os.unlink(path)
    return descriptor


def _path_of(descriptor: int) -> str:
    folder = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    return f"{folder}/{descriptor}"
