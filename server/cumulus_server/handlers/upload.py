"""Receives request bodies as they arrive: a submission in one or two parts, or one file to disk.

A fault found on the way is kept and raised by ``finish``: the rest of the body is read and dropped, so
that the answer reaches a client that reads only after it has sent everything.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from tornado import web

from cumulus_jupyter.protocol.errors import CumulusError, InvalidArgument, PayloadTooLarge, ResourceExhausted

from ..relay.specs import MAX_SPEC_BYTES

_DISK = "Free space where the relay keeps its state, then try again."


class Body(Protocol):
    """Takes a request's body as it arrives."""

    def write(self, data: bytes) -> None:
        """Take the next bytes."""

    def discard(self) -> None:
        """Remove what has arrived, unless it was moved to its place. Idempotent."""


class ReceivingHandler(web.RequestHandler):
    """Base of the routes that take their body as it arrives, into ``arriving`` once that is set.

    Nothing of a refused body, or of one whose sender went away, stays on the disk.
    """

    arriving: Body | None = None

    def data_received(self, chunk: bytes) -> None:
        """Called by tornado as the body arrives."""
        if self.arriving is not None:
            self.arriving.write(chunk)

    def on_finish(self) -> None:
        """The answer was given."""
        if self.arriving is not None:
            self.arriving.discard()

    def on_connection_close(self) -> None:
        """The sender is gone, perhaps before its body had arrived."""
        super().on_connection_close()
        self.on_finish()


class FileBody:
    """A body, or part of one, on its way to a file. Never raises before ``finish``."""

    def __init__(self, path: Path, limit_bytes: int, too_large: CumulusError) -> None:
        self.path = path
        self.bytes = 0
        self._limit_bytes = limit_bytes
        self._too_large = too_large
        self._fault: CumulusError | None = None
        self._file: BinaryIO | None = None

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self.bytes += len(data)
        if self._fault is not None:
            return
        if self.bytes > self._limit_bytes:
            self._fail(self._too_large)
            return
        try:
            if self._file is None:
                self._file = self.path.open("xb")
            self._file.write(data)
        except OSError as error:
            self._fail(
                ResourceExhausted(f"The relay cannot keep what was sent: {error.strerror}", next=_DISK)
            )

    def finish(self) -> Path:
        """The complete file. Raises what went wrong."""
        self.write(b"")
        try:
            if self._file is not None:
                self._file.close()
        except OSError as error:
            self._fail(
                ResourceExhausted(f"The relay cannot keep what was sent: {error.strerror}", next=_DISK)
            )
        if self._fault is not None:
            raise self._fault
        return self.path

    def discard(self) -> None:
        """Remove what has arrived, unless it was moved to its place. Idempotent."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self.path.unlink(missing_ok=True)

    def _fail(self, fault: CumulusError) -> None:
        self._fault = fault
        self.discard()


class MemoryBody:
    """A body that is kept in memory. Never raises before ``finish``."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._pieces: list[bytes] = []
        self._bytes = 0

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self._bytes += len(data)
        if self._bytes > self._limit_bytes:
            self._pieces.clear()
        else:
            self._pieces.append(data)

    def finish(self) -> bytes:
        """All of it. Raises ``PayloadTooLarge``."""
        if self._bytes > self._limit_bytes:
            raise PayloadTooLarge(f"The body is over {self._limit_bytes} bytes", next="Send less at once.")
        return b"".join(self._pieces)

    def discard(self) -> None:
        """Forget what has arrived."""
        self._pieces.clear()


class SubmissionBody:
    """The body of ``POST /jobs``: JSON, or multipart with the parts ``spec`` and ``bundle``."""

    def __init__(self, content_type: str, bundle: FileBody) -> None:
        self._spec: list[bytes] = []
        self._spec_bytes = 0
        self._bundle = bundle
        self._has_bundle = False
        self._fault: CumulusError | None = None
        self._parser: MultipartParser | None = None
        self._part: str | None = "spec"
        self._header_name = b""
        self._header_value = b""
        kind, options = parse_options_header(content_type)
        if kind == b"multipart/form-data" and b"boundary" in options:
            self._parser = self._multipart(options[b"boundary"])
        elif kind != b"application/json":
            self._fault = InvalidArgument(
                f"Cannot read a submission of type {content_type[:80]!r}",
                next="Send application/json, or multipart/form-data with the parts spec and bundle.",
            )

    def write(self, data: bytes) -> None:
        """Take the next bytes of the body. Never raises."""
        if self._fault is not None:
            return
        if self._parser is None:
            self._add_spec(data)
            return
        try:
            self._parser.write(data)
        except MultipartParseError as error:
            self._fault = InvalidArgument(f"The multipart body is damaged: {error}")

    def finish(self) -> tuple[bytes, Path | None]:
        """The specification's JSON, and the bundle's file where there is one. Raises what went wrong."""
        if self._fault is None and self._parser is not None:
            try:
                self._parser.finalize()
            except MultipartParseError as error:
                self._fault = InvalidArgument(f"The multipart body is damaged: {error}")
        if self._fault is not None:
            raise self._fault
        if not self._spec:
            raise InvalidArgument("The submission has no specification", next="Send it as the part spec.")
        return b"".join(self._spec), self._bundle.finish() if self._has_bundle else None

    def discard(self) -> None:
        """Remove what has arrived."""
        self._bundle.discard()

    def _add_spec(self, data: bytes) -> None:
        self._spec_bytes += len(data)
        if self._spec_bytes > MAX_SPEC_BYTES:
            self._spec.clear()
            self._fault = PayloadTooLarge(
                f"The specification is over {MAX_SPEC_BYTES} bytes", next="Put large values into the bundle."
            )
        else:
            self._spec.append(data)

    def _multipart(self, boundary: bytes) -> MultipartParser:
        callbacks: Any = {
            "on_part_begin": self._part_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._add_header_value,
            "on_header_end": self._header_end,
            "on_part_data": self._part_data,
        }
        return MultipartParser(boundary, callbacks)

    def _part_begin(self) -> None:
        self._part = None

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            name = parse_options_header(self._header_value)[1].get(b"name", b"").decode("latin-1")
            if name not in ("spec", "bundle"):
                self._fault = InvalidArgument(
                    f"The submission has an unknown part {name[:80]!r}",
                    next="Send the parts spec and bundle.",
                )
            elif name == "bundle" and self._has_bundle:
                self._fault = InvalidArgument("The submission has two bundles", next="Send one.")
            self._has_bundle = self._has_bundle or name == "bundle"
            self._part = name
        self._header_name = self._header_value = b""

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._fault is not None:
            return
        if self._part == "spec":
            self._add_spec(data[start:end])
        elif self._part == "bundle":
            self._bundle.write(data[start:end])
        else:
            self._fault = InvalidArgument("A part of the submission has no name")
