"""Errors that cross the wire as ``{code, message, job_id, next}``.

Each class carries its code, its HTTP status, and a default message (the docstring's first
line). ``next`` tells the reader what to do.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Type


class CumulusError(Exception):
    """Something went wrong in Cumulus."""

    code = "INTERNAL"
    status = 500

    def __init__(
        self, message: Optional[str] = None, *, next: str = "", job_id: Optional[str] = None
    ) -> None:
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.next = next
        self.job_id = job_id
        super().__init__(self.message)

    def __str__(self) -> str:
        parts = [self.message]
        if self.next:
            if self.message and self.message[-1].isalnum():
                parts[0] += "."
            parts.append(self.next)
        if self.job_id:
            parts.append(f"(job {self.job_id})")
        return " ".join(parts)

    def to_wire(self) -> Dict[str, Any]:
        """The JSON body of an error response."""
        return {
            "code": self.code,
            "message": self.message,
            "job_id": self.job_id,
            "next": self.next,
        }


class InvalidArgument(CumulusError):
    """The request is not valid."""

    code = "INVALID_ARGUMENT"
    status = 400


class Unauthenticated(CumulusError):
    """The token is missing or wrong."""

    code = "UNAUTHENTICATED"
    status = 401


class PermissionDenied(CumulusError):
    """This identity may not do that."""

    code = "PERMISSION_DENIED"
    status = 403


class NotFound(CumulusError):
    """There is no such thing here."""

    code = "NOT_FOUND"
    status = 404


class FailedPrecondition(CumulusError):
    """The job or the relay is not in a state that allows this."""

    code = "FAILED_PRECONDITION"
    status = 409


class PayloadTooLarge(CumulusError):
    """What was sent is over the limit."""

    code = "PAYLOAD_TOO_LARGE"
    status = 413


class ResourceExhausted(CumulusError):
    """Nothing has room for this now."""

    code = "RESOURCE_EXHAUSTED"
    status = 503


class Unavailable(CumulusError):
    """The service cannot be used right now."""

    code = "UNAVAILABLE"
    status = 503


class DeadlineExceeded(CumulusError):
    """It took longer than allowed."""

    code = "DEADLINE_EXCEEDED"
    status = 504


class Internal(CumulusError):
    """The job failed while it ran, or the relay met a fault of its own."""


_BY_CODE: Dict[str, Type[CumulusError]] = {
    cls.code: cls
    for cls in (
        InvalidArgument,
        Unauthenticated,
        PermissionDenied,
        NotFound,
        FailedPrecondition,
        PayloadTooLarge,
        ResourceExhausted,
        Unavailable,
        DeadlineExceeded,
        Internal,
    )
}


def error_from_wire(body: Mapping[str, Any]) -> CumulusError:
    """The exception a JSON error body stands for; an unknown code becomes ``Internal``."""
    cls = _BY_CODE.get(str(body.get("code")), Internal)
    return cls(
        str(body.get("message") or "") or None,
        next=str(body.get("next") or ""),
        job_id=body.get("job_id"),
    )
