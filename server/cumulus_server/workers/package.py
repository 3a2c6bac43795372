"""What a new worker fetches from the relay: the script that sets it up, and the worker's package as a zip.

The package is found without being imported: the relay has no use for it.
"""

from __future__ import annotations

import importlib.util
import io
import zipfile
from functools import cache
from pathlib import Path

from cumulus_jupyter.protocol.errors import Unavailable

PACKAGE = "cumulus_worker"
SCRIPT = "setup-worker.sh"
#: The oldest moment that a zip can name: equal packages make equal files.
_EPOCH = (1980, 1, 1, 0, 0, 0)


@cache
def package() -> bytes:
    """The package's sources as a zip; equal sources give equal bytes. Blocks the first time.

    Raises ``Unavailable`` where it is not installed.
    """
    home, packed = _home(), io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(home.rglob("*")):
            inside = file.relative_to(home)
            if file.is_file() and "__pycache__" not in inside.parts and file.name != SCRIPT:
                entry = zipfile.ZipInfo(f"{PACKAGE}/{inside.as_posix()}", _EPOCH)
                entry.external_attr = (0o755 if file.stat().st_mode & 0o100 else 0o644) << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, file.read_bytes())
    return packed.getvalue()


@cache
def script() -> bytes:
    """The script that sets a worker up. Blocks the first time. Raises ``Unavailable``."""
    home = _home()
    # A wheel has it in the package, a checkout beside it.
    for file in (home / SCRIPT, home.parent / SCRIPT):
        if file.is_file():
            return file.read_bytes()
    raise _missing(SCRIPT)


def _home() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise _missing(f"the package {PACKAGE}")
    return Path(next(iter(spec.submodule_search_locations)))


def _missing(what: str) -> Unavailable:
    return Unavailable(
        f"What new workers need is not installed beside the relay: {what}",
        next="Install cumulus-jupyter again; its wheel has it.",
    )
