"""The images that jobs run in: streamed from the relay, unless a registry has the very same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cumulus_worker.setup import state
from cumulus_worker.setup.engine import Engine, EngineSays
from cumulus_worker.setup.relay import Relay
from cumulus_worker.setup.telling import Failed, note


def fetch(terms: str) -> None:
    """Bring the terms' images to this host's engine, and note which ones were not there before."""
    engine, relay = Engine(), Relay(state.load())
    for image in state.read_terms(terms)["images"]:
        if _is_there(engine, image):
            continue
        _remember(image["name"])
        if not _pulled(engine, image):
            _streamed(engine, relay, image["name"])
        # Engines with another store of images call the same image by another id.
        known = {**state.load().get("images", {}), image["name"]: _pair(engine, image)}
        state.keep(images=known)


def _is_there(engine: Engine, image: Mapping[str, Any]) -> bool:
    found = engine.image(image["name"]).get("Id", "")
    known = state.load().get("images", {}).get(image["name"])
    return found == image["id"] or (bool(found) and known == _pair(engine, image))


def _pair(engine: Engine, image: Mapping[str, Any]) -> list[str]:
    """The image's id at the relay, and here."""
    return [image["id"], engine.image(image["name"]).get("Id", "")]


def has_registry(name: str) -> bool:
    """Whether an image's name says which registry has it: a public one would be asked for any other."""
    host, slash, _ = name.partition("/")
    return bool(slash) and ("." in host or ":" in host or host == "localhost")


def _pulled(engine: Engine, image: Mapping[str, Any]) -> bool:
    name = image["name"]
    if not has_registry(name):
        return False
    try:
        engine.pull(name)
    except EngineSays as says:
        note(f"{name} is not to be had from its registry ({says}): it comes from the relay")
        return False
    return bool(engine.image(name).get("Id") == image["id"])


def _streamed(engine: Engine, relay: Relay, name: str) -> None:
    try:
        with relay.image(name) as pieces:
            engine.load(pieces)
    except EngineSays as says:
        raise Failed(
            f"Docker could not load {name}: {says}",
            next="See that there is disk left (df -h /var/lib/docker), then run the same line again.",
        ) from None
    found = engine.image(name)
    if not found:
        raise Failed(
            f"The relay sent no image {name}", next="See the relay's log, then run the same line again."
        )


def _remember(name: str) -> None:
    path = state.FOLDER / "images"
    known = path.read_text().split() if path.exists() else []
    if name not in known:
        path.write_text("".join(f"{each}\n" for each in [*known, name]))
