"""``make check-worker``: a fresh host, the one line, a job on half a GPU, and a line that sums it up."""

from __future__ import annotations

import os
import sys

import pytest

TEST = "tests/acceptance/test_onboarding.py::test_one_line_makes_a_fresh_host_a_worker"


class Verdict:
    """Notes, as a plugin of pytest's, what the test measured."""

    def __init__(self) -> None:
        self.passed = False
        self.found: dict[str, object] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called for the setup, the test and the teardown."""
        if report.when == "call":
            self.passed = report.passed
            self.found = dict(report.user_properties)
        elif not report.passed:
            self.passed = False

    def line(self) -> str:
        """How far it came."""
        if "ready_s" not in self.found:
            return "the host did not become one"
        words = [f"ready in {self.found['ready_s']:.0f} s"]
        if "job_s" not in self.found:
            return ", ".join([*words, "the 0.5 GPU job did not complete"])
        words.append("0.5 GPU job completed")
        words.append("partition released" if self.found.get("released") else "partition not released")
        return ", ".join([*words] if self.passed else [*words, "but what came after failed"])


def main() -> int:
    """0 where all is well."""
    # What can't be had here fails, instead of being left out.
    os.environ["CI"] = "true"
    verdict = Verdict()
    pytest.main(["-q", "-p", "no:cacheprovider", TEST], plugins=[verdict])
    print(verdict.found.get("log", ""))
    if "job_s" in verdict.found:
        print(f"from the line to the end of the job: {verdict.found['job_s']:.1f} s")
    print(f"worker: {verdict.line()}", flush=True)
    return 0 if verdict.passed else 1


if __name__ == "__main__":
    sys.exit(main())
