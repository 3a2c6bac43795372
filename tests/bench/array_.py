"""A 100 MB numpy array to the job and back changed, against copying it through /dev/shm."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from .measure import latency, timed_ms
from .shell import new_shell, run

ARRAY_BYTES = 100_000_000
ROUNDS = 5
CELL = "%%cumulus\narray[0] += 1\nback = None"


def copy_there_and_back(array: np.ndarray, folder: Path) -> None:
    """What two processes with a shared memory disk do: write, read, change, write, read."""
    there, back = folder / "there.npy", folder / "back.npy"
    np.save(there, array)
    received = np.load(there)
    received[0] += 1
    np.save(back, received)
    array[:] = np.load(back)


def main() -> None:
    """Both in turns."""
    shell = new_shell()
    run(shell, "%cumulus config value_limit=200M")
    array = np.random.default_rng(0).random(ARRAY_BYTES // 8)
    shell.user_ns["array"] = array
    ours, peer = [], []
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        copy_there_and_back(array, Path(folder))
        run(shell, CELL)
        for _ in range(ROUNDS):
            before = array[0]
            ours.append(timed_ms(lambda: run(shell, CELL)))
            assert shell.user_ns["array"][0] == before + 1
            array = shell.user_ns["array"]
            peer.append(timed_ms(partial(copy_there_and_back, array, Path(folder))))
    found = latency("array", ours, peer, "numpy files in /dev/shm, both ways", megabytes=ARRAY_BYTES / 1e6)
    print(found.line())


if __name__ == "__main__":
    main()
