"""Jobs as local processes, started from prepared interpreters.

The relay keeps runner processes (``python -m cumulus_runner --serve FD``), each on one end of a
socket pair. A runner gets one assignment at a time, forks the process that runs user code, and is
used again afterwards. When the relay dies, idle runners end by themselves and busy ones go on; a
restarted relay finds these through the ``runner.json`` beside each job's working folder.
"""

from __future__ import annotations

from .executor import ProcessConfig, ProcessExecutor

__all__ = ["ProcessConfig", "ProcessExecutor"]
