"""The options of ``%%cumulus``: reading a line of them, and explaining them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from keyword import iskeyword
from typing import Any

from .protocol.errors import InvalidArgument


@dataclass(frozen=True)
class Option:
    """One option of the magic."""

    flag: str
    #: What stands for its value in the help; empty for a switch.
    value: str
    help: str
    #: Short form, such as "-r".
    short: str = ""
    #: True: may be given several times.
    repeats: bool = False

    @property
    def key(self) -> str:
        """Its name in the parsed options."""
        return self.flag[2:].replace("-", "_")


OPTIONS = (
    Option("--gpu", "AMOUNT", "share of a GPU, 0.1-0.9, or whole devices, 1-8"),
    Option("--cpu", "CORES", "CPU cores"),
    Option("--memory", "SIZE", "memory limit, such as 4G"),
    Option("--duration", "SECONDS", "longest run time, 60-86400 (3600)"),
    Option("--name", "NAME", "name of the job"),
    Option("--label", "LABEL", "KEY=VALUE labels the job; a bare word is asked of its worker", repeats=True),
    Option("--image", "IMAGE", "container image to run in, as --label image:IMAGE"),
    Option("--executor", "NAME", "where to run: process (on the relay's machine), docker, swarm"),
    Option("--env", "KEY=VALUE", "environment variable of the job", repeats=True),
    Option("--require", "PACKAGE", "what the cell needs, as for pip: -r scikit-learn", "-r", repeats=True),
    Option("--requirements", "FILE", "file of such packages", repeats=True),
    Option("--input", "NAMES", "ship only these names: -i a,b", "-i", repeats=True),
    Option("--output", "NAMES", "bring back exactly these names: -o c", "-o", repeats=True),
    Option("--detach", "NAME", "return at once, with a handle of the job in NAME"),
    Option("--dry-run", "", "show what would be sent, and send nothing"),
    Option("--no-wait", "", "fail at once where nothing has room now"),
    Option("--retries", "COUNT", "start again this often after a lost worker"),
    Option("--priority", "STEPS", "place in the queue, -100 to 100; higher goes first (0)"),
    Option("--quiet", "", "show no output"),
    Option("--pickle", "", "let anything come back, pickled; loading that runs the job's code here"),
    Option("--help", "", "show this", "-h"),
)
BY_FLAG = {flag: option for option in OPTIONS for flag in (option.flag, option.short) if flag}
#: Options whose value names a variable or variables of the notebook.
NAME_OPTIONS = frozenset({"--input", "-i", "--output", "-o", "--detach"})
#: What may stand behind an option, for those that have usual values.
USUAL_VALUES = {
    "--executor": ("process", "docker", "swarm"),
    "--label": (
        *("process", "docker", "swarm", "container", "images"),
        *("gpu", "gpu-name:", "gpu-memory:", "image:"),
    ),
}


@dataclass(frozen=True)
class Parsed:
    """A line of options: values by key, lists for those that repeat, ``True`` for switches."""

    values: Mapping[str, Any] = field(default_factory=dict)

    def get(self, key: str, default: Any = None) -> Any:
        """The value of an option, or the default."""
        return self.values.get(key, default)

    def names(self, key: str) -> list[str] | None:
        """The names listed by ``-i`` or ``-o``; ``None`` where the option was not given.

        Raises ``InvalidArgument`` for what is not a name.
        """
        if key not in self.values:
            return None
        found = [name.strip() for item in self.values[key] for name in item.split(",") if name.strip()]
        for name in found:
            check_name(name, f"--{key}")
        return found


def check_name(name: str, flag: str, next: str = "Names are separated by commas: a,b.") -> str:
    """A name that Python can assign. Raises ``InvalidArgument``."""
    if not name.isidentifier() or iskeyword(name):
        raise InvalidArgument(f"{flag}: {name} is not a name", next=next)
    return name


def parse(line: str) -> Parsed:
    """Read a line of options. Raises ``InvalidArgument`` naming what is wrong with it."""
    if not line or line.isspace():
        return Parsed()
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise InvalidArgument(f"The line cannot be read: {error}", next="Close the quotation mark.") from None
    values: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        flag, equals, attached = word.partition("=") if word.startswith("--") else (word, "", "")
        if not word.startswith("--") and word[:2] in BY_FLAG and len(word) > 2:
            flag, equals, attached = word[:2], "=", word[2:].removeprefix("=")
        option = BY_FLAG.get(flag)
        if option is None:
            raise _unknown(word if not word.startswith("-") else flag)
        if not option.value:
            if equals:
                raise InvalidArgument(f"{flag} takes no value, found {attached}", next=f"Write {flag} alone.")
            values[option.key] = True
            continue
        value = attached if equals else next(rest, None)
        if value is None or (not equals and value in BY_FLAG):
            raise InvalidArgument(f"{flag} needs a value", next=f"Write {flag} {option.value}.")
        if option.repeats:
            values.setdefault(option.key, []).append(value)
        elif option.key in values:
            raise InvalidArgument(f"{flag} is given twice", next="Write it once.")
        else:
            values[option.key] = value
    return Parsed(values)


def _unknown(word: str) -> InvalidArgument:
    from difflib import get_close_matches

    if not word.startswith("-"):
        return InvalidArgument(
            f"Unexpected word: {word}", next="Code goes below the magic's line. See %cumulus --help."
        )
    close = get_close_matches(word, [flag for flag in BY_FLAG if flag.startswith("--")], 1, 0.6)
    hint = f"Did you mean {close[0]}?" if close else "%cumulus --help lists the options."
    return InvalidArgument(f"Unknown option: {word}", next=hint)


def help_text() -> str:
    """The options of a cell."""
    lines = ["%%cumulus [options]             run this cell elsewhere, as if it ran here"]
    for option in OPTIONS:
        flags = f"{option.flag}, {option.short}" if option.short else option.flag
        lines.append(f"  {f'{flags} {option.value}'.strip():29} {option.help}")
    return "\n".join(lines)
