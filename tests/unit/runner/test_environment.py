"""Names of dependency environments, and what needs none."""

from __future__ import annotations

import pytest

from cumulus_runner.environment import environment_key, satisfied, what_to_do
from cumulus_runner.limits import job_environment


def test_same_requirements_same_environment() -> None:
    assert environment_key(["a", "b>=1"]) == environment_key(["b>=1", " a", "a"])
    assert environment_key(["a"]) != environment_key(["a==1"])


def test_what_is_installed_needs_no_environment() -> None:
    assert satisfied([]) and satisfied(["cloudpickle"])
    assert not satisfied(["cloudpickle>=1"]) and not satisfied(["cumulus-no-such-distribution"])
    assert not satisfied(["./local"]) and not satisfied(["cloudpickle[extra]"])


def test_jobs_get_no_tokens() -> None:
    given = {
        "PATH": "/bin",
        "JPY_API_TOKEN": "x",
        "JUPYTER_TOKEN": "x",
        "CUMULUS_TOKEN": "x",
        "HF_HOME": "/h",
    }
    assert job_environment(given) == {"PATH": "/bin", "HF_HOME": "/h"}


def test_the_runners_own_path_is_not_the_jobs() -> None:
    import os

    import cumulus_runner

    own = os.path.dirname(os.path.dirname(os.path.abspath(cumulus_runner.__file__)))
    assert job_environment({"PYTHONPATH": f"{own}:/mine"}) == {"PYTHONPATH": "/mine"}
    assert job_environment({"PYTHONPATH": own}) == {}


@pytest.mark.parametrize(
    ("told", "setting"),
    [
        ("cause: invalid peer certificate: UnknownIssuer", "container_ca_bundle"),
        ("SSLError(SSLCertVerificationError(1, 'certificate verify failed'))", "container_ca_bundle"),
        ("Temporary failure in name resolution", "container_env"),
        ("No solution found when resolving dependencies", "names and versions"),
    ],
)
def test_a_failed_installer_is_told_with_what_helps(told: str, setting: str) -> None:
    assert setting in what_to_do(told)
