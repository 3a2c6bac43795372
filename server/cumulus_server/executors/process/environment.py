"""The environment of runners and jobs: an allow-list, since the relay's own holds its secrets."""

from __future__ import annotations

import os
from collections.abc import Mapping

#: Passed on where set.
_NAMES = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TERM", "COLUMNS",
        "VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "PYTHONPATH", "PYTHONHOME", "PYTHONUTF8",
        "LD_LIBRARY_PATH", "LIBRARY_PATH", "CPATH", "CUDA_HOME", "CUDA_PATH", "CUDA_ROOT", "CUDA_CACHE_PATH",
        "NVIDIA_DRIVER_CAPABILITIES", "OCL_ICD_VENDORS", "OMP_NUM_THREADS", "MKL_NUM_THREADS",
        "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "MPLCONFIGDIR", "HF_HOME", "TORCH_HOME",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO",
        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY", "NO_PROXY",
        "http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "no_proxy",
    }
)  # fmt: skip
_PREFIXES = ("LC_", "PIP_", "UV_", "NETRC")
#: Never, whatever else matches.
_SECRET_PREFIXES = ("JPY_", "JUPYTER", "CUMULUS_")


def runner_environment(source: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a runner, and through it a job, has of the relay's environment.

    Installer settings (``PIP_*``, ``UV_*``, proxies, certificates) are there for the requirements.
    """
    source = os.environ if source is None else source
    return {
        name: value
        for name, value in source.items()
        if (name in _NAMES or name.startswith(_PREFIXES)) and not name.startswith(_SECRET_PREFIXES)
    }
