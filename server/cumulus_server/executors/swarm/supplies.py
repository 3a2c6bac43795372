"""What every service of a relay refers to: the runner's zip and certificates as configs, and images."""

from __future__ import annotations

import asyncio
import hashlib
import io
import sys
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .. import luggage
from ..base import StartFailed
from ..containers import images
from ..containers.settings import ContainerConfig
from .manager import Manager, config_name
from .services import File

#: Stored as they are: what is read at every start.
_READ_FIRST = ("__main__.py", luggage.FINGERPRINT)
#: The most that a config may hold.
_CONFIG_BYTES = 1_000_000


class Supplies:
    """Kept up to date for one manager."""

    def __init__(self, manager: Manager, config: ContainerConfig) -> None:
        self._manager, self._config = manager, config
        self._luggage: File | None = None
        self._ca_bundle: File | None = None
        self._ids: dict[str, str] = {}
        self._lock = asyncio.Lock()
        #: Image per Python minor version, the default version first.
        self.images: dict[str, str] = assumed_images(config)

    async def files(self) -> tuple[File, File | None]:
        """The configs with the runner and with the CA bundle, made where they are not there."""
        async with self._lock:
            if self._luggage is None:
                folder, relay_id = self._config.folder, self._config.relay_id
                fingerprint, packed = await asyncio.to_thread(pack, folder / "runner.zip")
                name = config_name("runner", relay_id, fingerprint)
                made = await self._manager.make_config(name, packed, "runner")
                if self._config.ca_bundle:
                    bundle = await asyncio.to_thread(_read, Path(self._config.ca_bundle))
                    version = hashlib.sha256(bundle).hexdigest()
                    name = config_name("ca", relay_id, version)
                    self._ca_bundle = await self._manager.make_config(name, bundle, "ca")
                self._luggage = made
            return self._luggage, self._ca_bundle

    def forget_files(self) -> None:
        """Look for the configs again: somebody may have removed them."""
        self._luggage = None

    async def look_at_images(self) -> bool:
        """Look at the manager's own images; whether the choice has changed."""
        listed = await self._manager.images()
        self._ids = ids_of(listed)
        found = images.job_images(listed, self._config.images) or assumed_images(self._config)
        changed, self.images = found != self.images, found
        return changed

    def called(self, image: str) -> str:
        """What to call an image so that no registry is asked for one that is in none: its id."""
        return self._ids.get(images.with_tag(image), image)


def assumed_images(config: ContainerConfig) -> dict[str, str]:
    """The images where the manager's own engine has none: those configured, else what ours is called."""
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return dict(config.images) or {own: f"{images.OWN_NAME}:py{own}"}


def ids_of(listed: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Ids by name, of images that came from no registry."""
    return {
        name: image["Id"]
        for image in listed
        if not [digest for digest in image.get("RepoDigests") or () if not digest.startswith("<none>")]
        for name in image.get("RepoTags") or ()
    }


def pack(path: Path) -> tuple[str, bytes]:
    """The runner's zip, compressed, since a config may have no more than a megabyte. Blocks."""
    fingerprint = luggage.pack_zip(path)
    packed = io.BytesIO()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(packed, "w") as target:
        for entry in source.infolist():
            copy = zipfile.ZipInfo(entry.filename, entry.date_time)
            copy.external_attr = entry.external_attr
            how = zipfile.ZIP_STORED if entry.filename in _READ_FIRST else zipfile.ZIP_DEFLATED
            target.writestr(copy, source.read(entry), how)
    return fingerprint, packed.getvalue()


def _read(bundle: Path) -> bytes:
    try:
        content = bundle.read_bytes()
    except OSError as error:
        raise StartFailed(
            f"The CA bundle cannot be read: {error}", next="Correct container_ca_bundle.", permanent=True
        ) from None
    if len(content) >= _CONFIG_BYTES:
        raise StartFailed(
            f"The CA bundle {bundle} is too large: Swarm's configs hold less than {_CONFIG_BYTES} bytes",
            next="Name a file in container_ca_bundle that has only the certificates needed.",
            permanent=True,
        )
    return content
