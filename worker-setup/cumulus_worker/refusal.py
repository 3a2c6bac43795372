"""Why something that was asked of the daemon is not done, and what to do about it."""

from __future__ import annotations

from typing import Any

#: The asking itself is wrong.
INVALID = "INVALID"
#: There is not enough left, or a device is not to be had.
REFUSED = "REFUSED"
#: No such partition: it never was, has ended, or has been released.
NOT_FOUND = "NOT_FOUND"
#: The daemon is away, or cannot keep what it would promise.
UNAVAILABLE = "UNAVAILABLE"


class Refusal(Exception):
    """``code`` is one of the above; ``next`` says what to do."""

    def __init__(self, code: str, message: str, *, next: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.next = next

    def answer(self) -> dict[str, Any]:
        """As JSON says it."""
        return {"error": {"code": self.code, "message": self.message, "next": self.next}}
