"""Upstream Chronos' command line, talking to the daemon: ``python3 -m cumulus_worker.chronos_cli WORD``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from cumulus_worker import rendering, session, settings
from cumulus_worker.client import Client
from cumulus_worker.refusal import Refusal
from cumulus_worker.words import USAGE, parse

_HELP = ("help", "--help", "-h")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit status, 0 or 1 as upstream's."""
    try:
        status = _done(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Whoever read this has enough; Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _done(given: Sequence[str]) -> int:
    argv = [word for word in given if word != "--json"]
    as_json = len(argv) < len(given)
    client = Client(settings.socket_path())
    if argv == ["session"]:
        return session.run(client, sys.stdin.buffer, sys.stdout.buffer)
    if argv[:1] and argv[0] in _HELP:
        print(json.dumps({"usage": USAGE}) if as_json else USAGE, end="\n" if as_json else "")
        return 0
    try:
        request = parse(argv)
    except Refusal as refusal:
        return _refused(refusal.answer(), as_json, usage=True)
    told = client.ask(argv)
    client.close()
    answer = told["answer"]
    if told["exit"]:
        return _refused(answer, as_json, usage=False)
    lines = rendering.rendered(request, answer, sys.stdout.isatty())
    print(json.dumps(answer) if as_json else "\n".join(lines))
    return 0


def _refused(answer: dict[str, Any], as_json: bool, *, usage: bool) -> int:
    error = answer["error"]
    if as_json:
        print(json.dumps(answer))
        return 1
    terminal = sys.stderr.isatty()
    print(rendering.marked("error", error["message"], terminal), file=sys.stderr)
    print(rendering.marked("info", error["next"], terminal), file=sys.stderr)
    if usage:
        print(USAGE, end="")
    return 1


if __name__ == "__main__":
    sys.exit(main())
