"""A value that stayed where it was made: says what it is, can be fetched, or named in a later cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional

from ..protocol.errors import FailedPrecondition, InvalidArgument
from .containers import Kind

if TYPE_CHECKING:
    from .decoder import Decoder


class RemoteValue:
    """Stands in the notebook for a value that did not come back."""

    #: ``fetcher(job_id, name, pickle) -> object``; the client sets it when it is loaded.
    _fetcher: Optional[Callable[[str, str, bool], object]] = None

    def __init__(
        self,
        name: str,
        job_id: str,
        type_name: str,
        size_bytes: Optional[int] = None,
        reason: str = "",
        stored: bool = False,
        pickled: bool = False,
        bundle: Optional[Mapping[str, Any]] = None,
    ) -> None:
        self.name = name
        self.job_id = job_id
        self.type_name = type_name
        self.size_bytes = size_bytes
        self.reason = reason
        #: True: the relay keeps it, so that it can be fetched, and named in a later cell.
        self.stored = stored
        #: True: fetching it means unpickling what the worker wrote.
        self.pickled = pickled
        self._bundle: Dict[str, Any] = dict(bundle or {})

    def fetch(self, pickle: bool = False) -> object:
        """The value itself, brought here.

        Where it is pickled, ``pickle=True`` says that running the worker's code here is wanted.
        Raises ``FailedPrecondition`` where it was not kept or that is not said.
        """
        if not self.stored:
            raise FailedPrecondition(
                f"{self._label} was not kept on the worker: {self.reason}.",
                next="Run the cell again with a result that can be kept.",
                job_id=self.job_id,
            )
        if self.pickled and not pickle:
            raise FailedPrecondition(
                f"{self._label} is pickled: loading it runs code that the worker wrote.",
                next="Use .fetch(pickle=True) if you trust the worker.",
                job_id=self.job_id,
            )
        fetcher = type(self)._fetcher
        if fetcher is None:
            raise FailedPrecondition("No relay is connected.", next="Run %load_ext cumulus_jupyter first.")
        return fetcher(self.job_id, self.name, pickle)

    @property
    def _label(self) -> str:
        return "The result" if self.name.startswith("@") else self.name

    def _way_out(self) -> str:
        if not self.stored:
            return "it was not kept"
        call = ".fetch(pickle=True)" if self.pickled else ".fetch()"
        return f"{call} brings it here, or name it in a later %%cumulus cell"

    def __repr__(self) -> str:
        size = "" if self.size_bytes is None else f", {_human(self.size_bytes)}"
        why = f": {self.reason}" if self.reason else ""
        return f"<RemoteValue {self.type_name}{size} in job {self.job_id}{why}; {self._way_out()}>"

    def _repr_mimebundle_(
        self, include: Optional[List[str]] = None, exclude: Optional[List[str]] = None
    ) -> Dict[str, Any]:
        """How the value showed itself on the worker, with a line that says where it is."""
        shown = self._bundle.get("text/plain")
        bundle = dict(self._bundle)
        bundle["text/plain"] = f"{shown}\n{self!r}" if shown else repr(self)
        return bundle


def _human(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


class _Remote(Kind):
    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        job_id, name = node["job"], node["name"]
        if not (isinstance(job_id, str) and isinstance(name, str)):
            raise ValueError("a remote value without job and name")
        if reader.fetch_remote is None:
            raise InvalidArgument(f"The value {name!r} of job {job_id} cannot be fetched from here.")
        return reader.fetch_remote(job_id, name)


KINDS: Dict[str, Kind] = {"remote": _Remote()}
