"""A real JupyterLab, or Notebook 7, in a home of its own."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from tests.acceptance.containers import settle
from tests.acceptance.relays import RelayProcess
from tests.homes import Home, wait_for
from tests.patience import LIMIT_S
from tests.ports import free_port

App = Literal["lab", "notebook"]
_MODULES: dict[App, str] = {"lab": "jupyterlab", "notebook": "notebook"}
_CLASSES: dict[App, str] = {"lab": "LabApp", "notebook": "JupyterNotebookApp"}
#: JupyterLab would ask for these over the network.
_QUIET = {"fetchNews": "false", "checkForUpdates": False}

#: Every kernel has the magic from its start.
_LOADED = 'get_config().InteractiveShellApp.extensions = ["cumulus_jupyter"]\n'


class JupyterServer:
    """``jupyter lab`` or ``jupyter notebook`` for one home, with its relay."""

    def __init__(self, home: Home, app: App, environment: Mapping[str, str], **settings: Any) -> None:
        """``settings`` are the relay's; by default local processes and two simulated GPUs."""
        self.home, self.app, self.environment = home, app, dict(environment)
        self.token = secrets.token_hex(16)
        self.folder = home.path / "notebooks"
        self.folder.mkdir()
        #: For plain requests to the relay in it.
        self.relay = RelayProcess(home)
        self.log_file = home.path / "jupyter.log"
        self._process: subprocess.Popen[bytes] | None = None
        #: Kept while it is down, so that its pages find it again.
        self._port = free_port()
        settle(home, **{"executors": ["process"], "simulated_gpus": 2, **settings})
        self.setting("@jupyterlab/apputils-extension", "notification", _QUIET)
        profile = home.path / ".ipython" / "profile_default"
        profile.mkdir(parents=True)
        (profile / "ipython_config.py").write_text(_LOADED)

    def setting(self, package: str, plugin: str, values: dict[str, Any]) -> None:
        """Write a user's settings of one plugin, for pages that are loaded from now on."""
        folder = self.home.path / ".jupyter" / "lab" / "user-settings" / package
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{plugin}.jupyterlab-settings").write_text(json.dumps(values))

    def start(self) -> None:
        """Start it, again at the same port, and wait until it answers."""
        name = _CLASSES[self.app]
        # It ends with this process, also where this one is killed.
        command = [
            "setpriv",
            "--pdeathsig",
            "TERM",
            sys.executable,
            "-m",
            _MODULES[self.app],
            "--no-browser",
            "--allow-root",
        ]
        command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={self._port}"]
        command += ["--ServerApp.port_retries=0", f"--{name}.expose_app_in_browser=True"]
        command += [f"--{name}.extension_manager=readonly", f"--{name}.news_url="] if name == "LabApp" else []
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env=self.home.environment(JUPYTER_TOKEN=self.token, **self.environment),
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        assert wait_for(self._ready, LIMIT_S, 0.05) and self.running, self.log

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def url(self) -> str:
        """The address, ending with a slash."""
        return f"http://127.0.0.1:{self._port}/"

    @property
    def log(self) -> str:
        """All it has written."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def page_url(self, path: str, workspace: str) -> str:
        """Where a notebook is shown; in JupyterLab with a layout of its own."""
        place = f"lab/workspaces/{workspace}/tree" if self.app == "lab" else "notebooks"
        return f"{self.url}{place}/{path}?token={self.token}"

    def write_notebook(self, name: str, *sources: str) -> Path:
        """Put a notebook into the folder; one empty cell where no source is given."""
        import nbformat.v4

        cells = [nbformat.v4.new_code_cell(source) for source in sources or ("",)]
        kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
        path = self.folder / name
        path.write_text(
            nbformat.writes(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}))
        )
        return path

    def cancel_jobs(self) -> None:
        """End every job of its own relay that has not ended."""
        if self.home.relay() is None:
            return
        jobs = self.relay.insist("GET", "jobs?limit=500").json["jobs"]
        active = [job["id"] for job in jobs if job["ended_ms"] is None]
        for job_id in active:
            self.relay.insist("DELETE", f"jobs/{job_id}")
        for job_id in active:
            self.relay.wait_end(job_id)

    def kill(self) -> None:
        """``kill -9`` the server; its kernels notice and end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(LIMIT_S)

    def stop(self) -> None:
        """End it with its kernels."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(LIMIT_S)

    def _told(self) -> dict[str, Any]:
        assert self._process is not None
        runtime = self.home.path / ".local" / "share" / "jupyter" / "runtime"
        told: dict[str, Any] = json.loads((runtime / f"jpserver-{self._process.pid}.json").read_text())
        return told

    def _ready(self) -> bool:
        """Also when it has ended: then nothing more will come."""
        if not self.running:
            return True
        try:
            url = self._told()["url"]
            with urllib.request.urlopen(f"{url}api?token={self.token}", timeout=LIMIT_S):
                return True
        except (OSError, ValueError):
            return False
