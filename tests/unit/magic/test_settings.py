"""Defaults of the notebook: from a configuration file, and from ``%cumulus config``."""

from __future__ import annotations

from typing import Any

import pytest
from traitlets.config import Config

from cumulus_jupyter.completion import _SETTINGS
from cumulus_jupyter.protocol.errors import InvalidArgument
from cumulus_jupyter.settings import Cumulus


def test_a_configuration_file_sets_defaults() -> None:
    config = Config()
    config.Cumulus.gpu = 0.5
    config.Cumulus.requirements = ["numpy"]
    defaults = Cumulus(config=config).job_defaults()
    assert defaults["gpu"] == 0.5 and defaults["requirements"] == ["numpy"]


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("gpu", "0.5", "0.5"),
        ("gpu", "none", None),
        ("duration", "120", 120),
        ("require", "numpy pandas", ["numpy", "pandas"]),
        ("labels", "a=1,b=2", {"a": "1", "b": "2"}),
        ("quiet", "yes", True),
        ("view", "plain", "plain"),
        ("value-limit", "1G", "1G"),
        ("image", "x:y", "x:y"),
    ],
)
def test_a_setting_is_read_as_people_write_it(key: str, text: str, value: object) -> None:
    settings = Cumulus()
    settings.assign(key, text)
    name = {"require": "requirements"}.get(key, key).replace("-", "_")
    assert getattr(settings, name) == value


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("gpu", "0.1482", "0.1-0.9"),
        ("duration", "59", "60-86400"),
        ("view", "loud", "auto, plain, live"),
        ("quiet", "perhaps", "true or false"),
        ("gpus", "1", "Did you mean gpu"),
        ("frob", "1", "There are"),
    ],
)
def test_a_wrong_setting_changes_nothing(key: str, text: str, said: str) -> None:
    settings = Cumulus()
    before = {name: getattr(settings, name) for name in settings.class_trait_names(config=True)}
    with pytest.raises(InvalidArgument, match=said):
        settings.assign(key, text)
    assert before == {name: getattr(settings, name) for name in before}


def test_the_environment_chooses_the_view_where_nothing_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUMULUS_VIEW", "plain")
    assert Cumulus().effective_view == "plain"
    assert Cumulus(view="live").effective_view == "live"


def test_the_value_limit_is_in_bytes() -> None:
    assert Cumulus().value_limit_bytes == 64 * 2**20


def test_completion_knows_every_setting() -> None:
    assert sorted(_SETTINGS) == sorted(Cumulus.names())


def test_the_shells_config_magic_sets_defaults(run: Any, shell: Any) -> None:
    run("%config Cumulus.cpu = 2")
    assert "cpu" in repr(run("%cumulus config"))
    shell.extension_manager.unload_extension("cumulus_jupyter")
    assert not [each for each in shell.configurables if isinstance(each, Cumulus)]
