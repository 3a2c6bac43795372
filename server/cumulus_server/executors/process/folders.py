"""Where attempts have their files: ``JOB/ATTEMPT/work``, and the runner's note beside it."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from ..base import StartFailed
from .adopted import RunnerNote, live_notes
from .runner_process import Key


class JobFolders:
    """The folders of all attempts below one root. ``make`` is quick; the others block."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def make(self, key: Key) -> Path:
        """The attempt's working folder, made. Raises ``StartFailed``."""
        work = self._of(key) / "work"
        try:
            work.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StartFailed(f"The job's folder cannot be made: {error}") from error
        return work

    def remove(self, key: Key) -> None:
        """Remove what the attempt has left."""
        folder = self._of(key)
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # gone already, or another attempt's folder is in it
            folder.parent.rmdir()

    def notes(self) -> dict[Key, RunnerNote]:
        """The attempts that a living runner is busy with."""
        return live_notes(self.root)

    def look(self) -> tuple[dict[Key, RunnerNote], list[Key]]:
        """The same, and every attempt that has left something."""
        folders = [folder for folder in self.root.glob("*/*") if folder.name.isdigit()]
        return self.notes(), [(folder.parent.name, int(folder.name)) for folder in folders]

    def _of(self, key: Key) -> Path:
        return self.root / key[0] / str(key[1])
