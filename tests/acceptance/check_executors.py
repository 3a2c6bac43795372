"""``make check-executors``: the quickstart on every executor, and one line that says how it went."""

from __future__ import annotations

import os
import sys

import pytest

EXECUTORS = ("process", "docker", "swarm")
TESTS = "tests/acceptance/test_executors.py"


class Verdicts:
    """Notes, as a plugin of pytest's, which executors' tests passed."""

    def __init__(self) -> None:
        self.passed: set[str] = set()
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called for the setup, the test and the teardown of each."""
        executor = report.nodeid.rpartition("_on_")[2]
        if not report.passed:
            self.failed.add(executor)
        elif report.when == "call":
            self.passed.add(executor)

    def line(self) -> str:
        """Every executor and its verdict."""
        return ", ".join(f"{name} {'ok' if self.is_ok(name) else 'failed'}" for name in EXECUTORS)

    def is_ok(self, executor: str) -> bool:
        """Whether its tests ran and none failed."""
        return executor in self.passed - self.failed


def main() -> int:
    """0 where all is well."""
    # What can't be had here fails, instead of being left out.
    os.environ["CI"] = "true"
    verdicts = Verdicts()
    pytest.main(["-q", "-p", "no:cacheprovider", TESTS], plugins=[verdicts])
    print(f"executors: {verdicts.line()}", flush=True)
    return 0 if all(map(verdicts.is_ok, EXECUTORS)) else 1


if __name__ == "__main__":
    sys.exit(main())
