"""The words of chronos_cli: upstream's, and an owner and a key besides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from cumulus_worker.refusal import INVALID, Refusal

#: Far more than any command line as JSON: whoever sends more without an end of line asks nothing.
LONGEST_LINE_BYTES = 64 * 1024
#: What one device is divided into.
WHOLE_TENTHS = 10
#: Upstream's seconds are a C int.
_LONGEST_S = 2**31 - 1
#: Needs no quoting in any shell, so that a command is the same before and after splitting.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/-]{0,127}")
_DECIMAL = re.compile(r"\d{1,3}(\.\d{0,20})?|\.\d{1,20}")
_INTEGER = re.compile(r"[+]?\d{1,12}")
_SEE_HELP = "See: chronos_cli help"
_ARGUMENTS = {
    "create": (3, "device index, memory fraction, and duration"),
    "release": (1, "partition ID"),
    "available": (1, "device index"),
    "list": (0, ""),
    "stats": (0, ""),
    "version": (0, ""),
    # Not of the usage: what probe asks where it may not ask Docker itself.
    "engine": (0, ""),
}
_OPTIONS = {"create": ("--user", "--owner", "--key"), "list": ("--owner",)}

USAGE = """Chronos GPU Partitioner (of Cumulus) - A time-based GPU partitioning utility

Usage:
  chronos_cli create <device_index> <memory_fraction> <duration_seconds> [--user <username>]
                     [--owner <owner> [--key <key>]]
  chronos_cli list [--owner <owner>]
  chronos_cli release <partition_id>
  chronos_cli stats
  chronos_cli available <device_index>
  chronos_cli session
  chronos_cli version
  chronos_cli help

With --json anywhere the answer is JSON. Fractions are tenths: 0.1, 0.2 ... 1.0.
The same owner, key and device again is the same partition, for at least the duration from then on.

Examples:
  chronos_cli create 0 0.5 3600                    # Use 50% of GPU 0 for 1 hour
  chronos_cli create 0 0.3 28800 --user alice      # Create partition for user alice
  chronos_cli list                                 # List all active partitions
  chronos_cli stats                                # Show device statistics
  chronos_cli available 0                          # Get percentage of GPU 0 available
"""


class Request(NamedTuple):
    """What one command line asks; only what its word needs is set."""

    word: str
    device: int = -1
    tenths: int = 0
    seconds: int = 0
    partition: str = ""
    user: str = ""
    owner: str = ""
    key: str = ""


def parse(argv: Sequence[str]) -> Request:
    """The request of a command line (without --json, help and session); raises ``Refusal``."""
    if not argv:
        raise invalid("no command")
    word, rest = argv[0], argv[1:]
    if word not in _ARGUMENTS:
        raise invalid(f"Invalid command: {word}")
    arguments, options = _sorted_out(word, rest)
    count, named = _ARGUMENTS[word]
    if len(arguments) != count:
        raise invalid(f"'{word}' command requires {named}" if count else f"'{word}' takes no argument")
    if word == "create":
        if options.get("--key") and not options.get("--owner"):
            raise invalid("--key needs --owner: a key is its owner's own")
        return Request(
            word,
            device=_device(arguments[0]),
            tenths=_tenths(arguments[1]),
            seconds=_seconds(arguments[2]),
            user=options.get("--user", ""),
            owner=options.get("--owner", ""),
            key=options.get("--key", ""),
        )
    if word == "available":
        return Request(word, device=_device(arguments[0]))
    if word == "release":
        return Request(word, partition=arguments[0])
    return Request(word, owner=options.get("--owner", ""))


def invalid(message: str, next: str = _SEE_HELP) -> Refusal:
    """The refusal of a command line that is wrong."""
    return Refusal(INVALID, message, next=next)


def _sorted_out(word: str, rest: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    arguments: list[str] = []
    options: dict[str, str] = {}
    words = iter(rest)
    for argument in words:
        if not argument.startswith("--"):
            arguments.append(argument)
            continue
        option, equals, value = argument.partition("=")
        if option not in _OPTIONS.get(word, ()):
            raise invalid(f"'{word}' has no option {option}")
        value = value if equals else next(words, "")
        if not _NAME.fullmatch(value):
            raise invalid(
                f"{option} needs a name, not {value!r}",
                "Use letters, digits and . _ : @ / -, at most 128 of them",
            )
        options[option] = value
    return arguments, options


def _device(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise invalid("Device index must be a numeric value")
    return int(text)


def _seconds(text: str) -> int:
    if not _INTEGER.fullmatch(text.removeprefix("-")):
        raise invalid("Arguments must be numeric values", "Give the duration as whole seconds")
    seconds = int(text)
    if seconds <= 0:
        raise invalid("Duration must be positive")
    if seconds > _LONGEST_S:
        raise invalid("Argument value out of range", f"At most {_LONGEST_S} seconds")
    return seconds


def _tenths(text: str) -> int:
    if not _DECIMAL.fullmatch(text.removeprefix("-")):
        raise invalid("Arguments must be numeric values", "Give the fraction as 0.1, 0.2 ... 1.0")
    tenths = float(text) * WHOLE_TENTHS
    # Half a tenth and less would be none at all.
    if not 0 < tenths <= WHOLE_TENTHS:
        raise invalid("Memory fraction must be between 0 and 1", "Give the fraction as 0.1, 0.2 ... 1.0")
    if abs(tenths - round(tenths)) > 1e-6:
        raise invalid(
            f"Memory fraction must be whole tenths, not {text}", "Give the fraction as 0.1, 0.2 ... 1.0"
        )
    return round(tenths)
