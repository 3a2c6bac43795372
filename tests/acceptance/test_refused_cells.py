"""Bad input in a cell: a clear error with its code, and nothing was queued."""

from __future__ import annotations

import pytest

from .kernels import Kernel

COUNT = "len(__import__('cumulus_jupyter').CumulusClient().jobs(limit=500))"

GPU = "Must be 0.1-0.9 or whole number 1-8"
DURATION = "Must be 60-86400 seconds"

REFUSED = {
    "gpu 0": ("--gpu 0", "x = 1", "INVALID_ARGUMENT", GPU),
    "gpu 2.3": ("--gpu 2.3", "x = 1", "INVALID_ARGUMENT", GPU),
    "gpu 0.1482": ("--gpu 0.1482", "x = 1", "INVALID_ARGUMENT", GPU),
    "gpu 1.5": ("--gpu 1.5", "x = 1", "INVALID_ARGUMENT", GPU),
    "gpu -1": ("--gpu -1", "x = 1", "INVALID_ARGUMENT", GPU),
    "gpu abc": ("--gpu abc", "x = 1", "INVALID_ARGUMENT", GPU),
    "gpu 9": ("--gpu 9", "x = 1", "INVALID_ARGUMENT", GPU),
    "more gpus than there are": ("--gpu 4", "x = 1", "RESOURCE_EXHAUSTED", "requested: 4, max available: 1"),
    "duration 59": ("--duration 59", "x = 1", "INVALID_ARGUMENT", DURATION),
    "duration 86401": ("--duration 86401", "x = 1", "INVALID_ARGUMENT", DURATION),
    "memory 0": ("--memory 0", "x = 1", "INVALID_ARGUMENT", "Invalid memory amount: 0"),
    "cpu fast": ("--cpu fast", "x = 1", "INVALID_ARGUMENT", "Invalid CPU amount: fast"),
    "unknown option": ("--durration 60", "x = 1", "INVALID_ARGUMENT", "Did you mean --duration?"),
    "option without a value": ("--gpu", "x = 1", "INVALID_ARGUMENT", "--gpu needs a value"),
    "unknown executor": ("--executor moon", "x = 1", "INVALID_ARGUMENT", "moon"),
    "image": ("--image python:3.12", "x = 1", "INVALID_ARGUMENT", "image"),
    "bad requirement": ("-r 'not a requirement!'", "x = 1", "INVALID_ARGUMENT", "not a requirement!"),
    "bad variable": ("--env 1=2", "x = 1", "INVALID_ARGUMENT", "1"),
    "unknown input": ("-i nowhere", "x = 1", "INVALID_ARGUMENT", "nowhere"),
    "unknown name": ("", "print(nowhere)", "INVALID_ARGUMENT", "name 'nowhere' is not defined"),
    "empty cell": ("", " ", "INVALID_ARGUMENT", "The cell is empty"),
    "value that cannot be sent": ("", "lock.acquire()", "INVALID_ARGUMENT", "lock"),
}


@pytest.mark.parametrize(("line", "cell", "code", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(kernel: Kernel, line: str, cell: str, code: str, said: str) -> None:
    kernel.run("import threading; lock = threading.Lock(); x = 'before'")
    queued = kernel.value(COUNT)
    shown = kernel.run(f"%%cumulus {line}\n{cell}")
    assert shown.error, shown
    assert shown.traceback.startswith(code), shown.traceback
    assert said in shown.traceback
    assert len(shown.traceback.splitlines()) <= 4, "an error of Cumulus is a few lines, not a stack of ours"
    assert kernel.value(COUNT) == queued
    assert kernel.value("x") == "before"


def test_a_syntax_error_is_pythons_own(kernel: Kernel) -> None:
    queued = kernel.value(COUNT)
    shown = kernel.run("%%cumulus\nx = (1,\n")
    assert shown.error == "SyntaxError"
    assert "was never closed" in shown.message
    assert kernel.value(COUNT) == queued


def test_a_refused_cell_says_what_to_do(kernel: Kernel) -> None:
    shown = kernel.run("%%cumulus --gpu 0\nx = 1")
    assert "Write a share such as --gpu 0.5" in shown.traceback
