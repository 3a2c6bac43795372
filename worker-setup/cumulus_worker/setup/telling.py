"""What the script shows of a step: its failure with what to do, and notes beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

_AGAIN = "Put right what it says, then run the same line again: it goes on from there."


class Failed(Exception):
    """A step can't be done; ``next`` says what to do."""

    def __init__(self, message: str, *, next: str = _AGAIN) -> None:
        super().__init__(message)
        self.next = next


def tell(failed: Failed) -> None:
    """Leave the failure where the script reads it."""
    _append("CUMULUS_FAILURE", f"{_line(str(failed))}\n{_line(failed.next)}\n")


def note(text: str) -> None:
    """A line for whoever runs the script."""
    _append("CUMULUS_NOTES", f"{_line(text)}\n")


def run(*command: str, timeout_s: float = 60.0, allowed: Sequence[int] = (0,)) -> str:
    """What a command prints. Raises ``Failed`` with the end of it; its output goes to the step's own too."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"{command[0]} has not ended within {timeout_s:.0f} s") from None
    except OSError as error:
        raise Failed(f"{command[0]} cannot be run: {error}") from None
    if done.returncode not in allowed:
        print(done.stdout, file=sys.stderr)
        raise Failed(f"{' '.join(command[:3])} ends with {done.returncode}")
    return done.stdout


def _append(variable: str, text: str) -> None:
    path = os.environ.get(variable)
    if not path:
        sys.stderr.write(text)
        return
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)


def _line(text: str) -> str:
    return " ".join(text.split())
