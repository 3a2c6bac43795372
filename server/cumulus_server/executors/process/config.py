"""What can be set about local processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .environment import runner_environment


@dataclass(frozen=True)
class ProcessConfig:
    """What can be set about local processes."""

    #: Folder for working folders and logs; private to the relay.
    root: Path
    #: Folder of the dependency environments that jobs share.
    environments: Path
    #: Jobs at once; 0 for four per core, at least four.
    slots: int = 0
    #: Idle runners kept ready.
    warm: int = 2
    #: Interpreters besides the relay's own.
    pythons: tuple[str, ...] = ()
    #: GPUs declared for a machine without one.
    simulated_gpus: int = 0
    #: Seconds between KeyboardInterrupt and the end of a cancelled job's code.
    grace_s: float = 5.0
    #: Environment of the runners; by default the harmless part of the relay's own.
    env: dict[str, str] = field(default_factory=runner_environment)
