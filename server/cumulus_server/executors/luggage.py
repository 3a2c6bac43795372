"""What travels into places that lack the runner: its package and what that imports.

As a folder for other interpreters of this machine and for the job image, as a zip for containers.
``python -m cumulus_server.executors.luggage DIR`` packs a folder.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import marshal
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

#: Module, and the parts of it that travel (all if empty).
_LUGGAGE = {
    "cumulus_runner": (),
    "cumulus_jupyter": ("__init__.py", "progress_bar.py", "protocol", "values"),
    "cloudpickle": (),
}
#: The module that becomes the zip's ``__main__``.
_BOARDING = "cumulus_runner/boarding.py"
#: Tells one version of the luggage from another; a file in it.
FINGERPRINT = "FINGERPRINT"
#: The oldest moment that a zip can name: equal luggage makes equal files.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(folder: Path) -> str:
    """Put the luggage into ``folder``, replacing what was there; its fingerprint. Blocks."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix="luggage-"))
    fresh.chmod(0o755)
    for name, content in _sources():
        target = fresh / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    (fresh / FINGERPRINT).write_text(fingerprint())
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
    return fingerprint()


def pack_zip(path: Path) -> str:
    """Write the luggage to ``path`` as a zip that Python can run; its fingerprint. Blocks.

    Beside the sources lies what this relay's own Python has compiled of them; other versions pass that
    by. Equal luggage gives equal bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in _sources():
            _add(archive, name, content)
            if name.endswith(".py"):
                _add(archive, f"{name}c", _compiled(name, content))
            if name == _BOARDING:
                _add(archive, "__main__.py", content)
                _add(archive, "__main__.pyc", _compiled("__main__.py", content))
        _add(archive, FINGERPRINT, fingerprint().encode())
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_bytes(packed.getvalue())
    fresh.chmod(0o644)
    fresh.rename(path)
    return fingerprint()


@cache
def fingerprint() -> str:
    """A hash of the names and the contents of all that travels. Blocks the first time."""
    digest = hashlib.sha256()
    for name, content in _sources():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _sources() -> Iterator[tuple[str, bytes]]:
    """Names below the luggage's root with contents, in order."""
    for module, parts in _LUGGAGE.items():
        spec = importlib.util.find_spec(module)
        if spec is None or not spec.submodule_search_locations:
            raise FileNotFoundError(f"the package {module} is not installed beside the relay")
        home = Path(next(iter(spec.submodule_search_locations)))
        found = [file for part in parts or (".",) for file in _files(home / part)]
        for file in sorted(found):
            yield f"{module}/{file.relative_to(home).as_posix()}", file.read_bytes()


def _files(origin: Path) -> list[Path]:
    if origin.is_file():
        return [origin]
    return [file for file in origin.rglob("*") if file.is_file() and "__pycache__" not in file.parts]


def _compiled(name: str, content: bytes) -> bytes:
    """The content of the .pyc, which is not to be checked against its source."""
    code = compile(content, name, "exec", dont_inherit=True)
    flags = (1).to_bytes(4, "little")  # by hash, unchecked
    return importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(content) + marshal.dumps(code)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)


if __name__ == "__main__":
    print(pack(Path(sys.argv[1])))
