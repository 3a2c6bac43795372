"""What of the relay's environment reaches runners."""

from __future__ import annotations

from cumulus_server.executors.process.environment import runner_environment


def test_the_environment_is_an_allow_list() -> None:
    source = {
        "PATH": "/bin", "LC_ALL": "C", "PIP_INDEX_URL": "x", "UV_CACHE_DIR": "y", "https_proxy": "z",
        "JUPYTERHUB_API_TOKEN": "no", "CUMULUS_URL": "no", "JPY_PARENT_PID": "no", "GITHUB_TOKEN": "no",
    }  # fmt: skip
    assert set(runner_environment(source)) == {
        "PATH",
        "LC_ALL",
        "PIP_INDEX_URL",
        "UV_CACHE_DIR",
        "https_proxy",
    }
