"""Runners kept ready, without the processes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cumulus_server.executors.process.interpreters import Interpreter
from cumulus_server.executors.process.pool import RunnerPool


class Runner:
    """As much of one as the pool looks at."""

    exited = None

    def __init__(self, interpreter: Interpreter) -> None:
        self.interpreter = interpreter

    def abandon(self) -> None:
        """Nobody watches it any more."""


async def test_a_runner_that_gets_ready_for_somebody_who_has_gone_is_kept_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunnerPool, "_spawn", lambda pool, interpreter: None)
    pool = RunnerPool(tmp_path, {}, warm=1, on_done=lambda key: None, on_exit=lambda key, status: None)
    interpreter = Interpreter("/python", "3.11")
    runner: Any = Runner(interpreter)
    taking = asyncio.ensure_future(pool.take(interpreter))
    await asyncio.sleep(0)
    pool.runner_ready(runner)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert await pool.take(interpreter) is runner
    pool.close()
