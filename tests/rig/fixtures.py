"""Engine, images and rig for the tests that ask for them: a pytest plugin.

A test asks by the fixtures ``engine``, ``job_image``, ``full_job_image``, ``other_job_image`` and ``rig``;
one that gets them in another way is marked ``needs_engine`` or ``needs_rig``. Such tests come last, the rig's
last of all. Where an engine can't be had they are left out, saying why; in continuous integration they fail.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from tests.rig import provision
from tests.rig.docker import DockerFailed
from tests.rig.rig import Rig, RigBroken, forsaken, run_name

_IMAGES = {"job_image": "slim", "full_job_image": "full", "other_job_image": "other"}
_ENGINE = {"engine", *_IMAGES}
_NEEDS: dict[str, tuple[str, ...]] = {"engine": (), "rig": ("job_image",)}
_MARKS = {
    "needs_engine": "runs containers on the engine of this machine",
    "needs_rig": "runs containers on the Swarm of tests/rig",
}


class Provided:
    """What has been provided in this run so far, and what could not be."""

    def __init__(self) -> None:
        self.tell: Callable[[str], None] = print
        self.left_out = 0
        self.rig: Rig | None = None
        self._own_rig = False
        self._lacking: dict[str, str] = {}
        self._done: set[str] = set()

    def lacking(self, name: str) -> str:
        """Provide engine, rig, or an image by its fixture's name; why that can't be, "" if it is there."""
        for needed in _NEEDS.get(name, ("engine",)):
            if because := self.lacking(needed):
                return because
        if name not in self._done:
            self._done.add(name)
            self.tell(f"making ready: {name if name in ('engine', 'rig') else image(name)}")
            try:
                self._provide(name)
            except (provision.Lacking, DockerFailed, RigBroken) as error:
                self._lacking[name] = f"no {name}: {error}"
        return self._lacking.get(name, "")

    def end(self) -> None:
        """Take down a rig that this run brought up."""
        if self.rig is not None and self._own_rig:
            try:
                self.rig.down()
            except DockerFailed as error:  # the next run removes it; what was tested is not concerned
                self.tell(f"the rig could not be removed: {error}")

    def _provide(self, name: str) -> None:
        if name == "engine":
            provision.engine()
        elif name == "rig":
            self._raise_rig()
        else:
            provision.build(image(name))

    def _raise_rig(self) -> None:
        rig = Rig()
        if not rig.is_up():
            # One that stands already is somebody's (make rig-up), and stays; ours has another name.
            rig = Rig(run_name())
            self._own_rig = True
            for name in forsaken():
                Rig(name).down()
        self.rig = rig
        rig.up()
        rig.load(image("job_image"))


_provided = Provided()


def image(fixture: str) -> str:
    """The name of the image that a fixture stands for."""
    name: str = getattr(provision.job_images(), _IMAGES[fixture])
    return name


def needs(item: pytest.Item) -> str:
    """What a test needs beyond this process: "", "engine" or "rig"."""
    if "rig" in _fixtures(item) or item.get_closest_marker("needs_rig"):
        return "rig"
    return "engine" if _ENGINE & _fixtures(item) or item.get_closest_marker("needs_engine") else ""


def _fixtures(item: pytest.Item) -> set[str]:
    """What a test asks for, by argument or, as one of its parameters, by name."""
    params = getattr(getattr(item, "callspec", None), "params", {}).values()
    return {*getattr(item, "fixturenames", ()), *(value for value in params if isinstance(value, str))}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--containers",
        choices=("all", "only", "without"),
        default="all",
        help="tests of containers: with the others, alone, or left out (default: all)",
    )


def pytest_configure(config: pytest.Config) -> None:
    for mark, meaning in _MARKS.items():
        config.addinivalue_line("markers", f"{mark}: {meaning}")


def pytest_sessionstart(session: pytest.Session) -> None:
    writer = session.config.get_terminal_writer()

    def tell(line: str) -> None:
        if writer.width_of_current_line:
            writer.line()
        writer.line(line, flush=True)

    _provided.tell = tell


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: ("", "engine", "rig").index(needs(item)))
    outside = [item for item in items if needs(item)]
    wanted = config.getoption("--containers")
    if wanted != "all":
        kept = outside if wanted == "only" else items[: len(items) - len(outside)]
        left_out = set(items) - set(kept)
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:], outside = kept, kept if wanted == "only" else []
    if outside and not os.environ.get("CI") and not provision.can_be_had():
        config.hook.pytest_deselected(items=outside)
        items[:] = items[: len(items) - len(outside)]
        _provided.left_out = len(outside)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _provided.left_out:
        terminalreporter.write_line(
            f"{_provided.left_out} tests of containers were left out: {provision.HOW_TO}"
        )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Provide outside of the time limit that a test has; what fails is told by the fixtures."""
    if kind := needs(item):
        for name in sorted({kind, "job_image", *_fixtures(item) & _IMAGES.keys()}):
            _provided.lacking(name)
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    _provided.end()


def _have(name: str) -> None:
    if because := _provided.lacking(name):
        pytest.fail(because, pytrace=False)


@pytest.fixture(scope="session")
def engine() -> str:
    """Where this machine's engine answers."""
    _have("engine")
    return os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


@pytest.fixture(scope="session")
def job_image() -> str:
    """The image for this interpreter's minor, without the data libraries."""
    _have("job_image")
    return image("job_image")


@pytest.fixture(scope="session")
def full_job_image() -> str:
    """The image for this interpreter's minor, with the data libraries."""
    _have("full_job_image")
    return image("full_job_image")


@pytest.fixture(scope="session")
def other_job_image() -> str:
    """An image of another minor than this interpreter's."""
    _have("other_job_image")
    return image("other_job_image")


@pytest.fixture(scope="session")
def rig() -> Rig:
    """A Swarm with two workers that have ``job_image``. Whoever cuts, pauses or kills one brings it back."""
    _have("rig")
    assert _provided.rig is not None
    return _provided.rig
