"""Where attempts have their files: ``JOB/ATTEMPT/work``, and the runner's note beside it.

Runners make these folders; they are removed here.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from .adopted import RunnerNote, live_notes
from .runner_process import Key


class JobFolders:
    """The folders of all attempts below one root. All but ``work`` and ``remove_tidy`` block."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def work(self, key: Key) -> str:
        """The attempt's working folder, which its runner makes."""
        return f"{self.root}/{key[0]}/{key[1]}/work"

    def remove_tidy(self, key: Key) -> bool:
        """Remove what a runner leaves that has put itself away; ``False`` where there is more."""
        folder = f"{self.root}/{key[0]}/{key[1]}"
        if not os.path.lexists(folder):
            return True
        try:
            os.unlink(f"{folder}/runner.json")
            os.rmdir(folder)
            os.rmdir(os.path.dirname(folder))
        except OSError:
            return False
        return True

    def remove(self, key: Key) -> None:
        """Remove whatever the attempt has left."""
        folder = self.root / key[0] / str(key[1])
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
