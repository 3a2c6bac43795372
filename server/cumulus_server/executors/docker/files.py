"""The files that containers are given: the runner, certificates, and one assignment each."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from ..base import ExecutorUnavailable
from ..containers.plan import ContainerPlan
from ..containers.settings import ContainerConfig
from ..luggage import pack_zip
from .rendering import Sources


class Files:
    """Below the executor's folder. Everything blocks."""

    def __init__(self, config: ContainerConfig, environments: str) -> None:
        """``environments`` is the name of the volume with the dependency environments."""
        self._root, self._bundle, self._environments = config.folder, config.ca_bundle, environments
        self._assignments = config.folder / "assignments"
        self._luggage = config.folder / "runner.zip"
        self._ca = config.folder / "ca.pem"

    def prepare(self) -> None:
        """Pack the runner, copy the certificates, and remove assignments that a relay has left.

        A container has what it was started with for as long as it lives. Raises ``ExecutorUnavailable``
        where the configured certificates cannot be read.
        """
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.rmtree(self._assignments, ignore_errors=True)
        self._assignments.mkdir(mode=0o700)
        pack_zip(self._luggage)
        if self._bundle:
            try:
                certificates = Path(self._bundle).read_bytes()
            except OSError as error:
                raise ExecutorUnavailable(
                    f"The certificates in {self._bundle} cannot be read: {error.strerror}",
                    next="Correct the setting container_ca_bundle.",
                ) from error
            self._ca.unlink(missing_ok=True)
            self._ca.write_bytes(certificates)
            self._ca.chmod(0o644)

    def write(self, plan: ContainerPlan) -> Sources:
        """The assignment, readable by the container's user alone."""
        path = self._path(plan.name)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        try:
            os.write(fd, plan.assignment)
            if os.geteuid() == 0:
                os.fchown(fd, *plan.user)
        finally:
            os.close(fd)
        ca = str(self._ca) if self._bundle else ""
        return Sources(str(path), str(self._luggage), ca, self._environments)

    def discard(self, name: str) -> None:
        """Remove an assignment. A container that runs has it nevertheless."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._assignments / f"{name}.json"
