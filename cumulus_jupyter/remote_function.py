"""``@remote``: a function whose calls run elsewhere."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

if TYPE_CHECKING:
    from .client.api import CumulusClient
    from .client.job import Job

#: Options of waiting for a call, not of its job.
_WAITING = ("timeout", "show_output")
P = ParamSpec("P")
R = TypeVar("R")


class RemoteFunction(Generic[P, R]):
    """Calling it runs the function elsewhere and waits; ``submit`` and ``map`` do not wait."""

    def __init__(self, func: Callable[P, R], options: dict[str, Any], client: CumulusClient | None) -> None:
        functools.update_wrapper(self, func)
        #: The function itself: ``f.local(x)`` runs it here.
        self.local = func
        self._options = options
        self._client = client

    @property
    def client(self) -> CumulusClient:
        """The client it uses: the one it was given, else this process's own."""
        return self._client or default_client()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        keywords: dict[str, Any] = {**self._options, **kwargs}
        result: R = self.client.run(self.local, *args, **keywords)
        return result

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Start a call and return its handle."""
        return self.client.submit(self.local, *args, **self._job_options, **kwargs)

    def map(self, *iterables: Iterable[Any]) -> Iterator[Any]:
        """One call for each item; results in order."""
        return self.client.map(self.local, *iterables, **self._job_options)

    def options(self, **options: Any) -> RemoteFunction[P, R]:
        """The same function with other options of the job."""
        return RemoteFunction(self.local, {**self._options, **options}, self._client)

    @property
    def _job_options(self) -> dict[str, Any]:
        return {key: value for key, value in self._options.items() if key not in _WAITING}

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        call: Any = self
        return functools.partial(call, instance)

    def __repr__(self) -> str:
        return f"<remote {getattr(self.local, '__qualname__', self.local)}>"


@overload
def remote(func: Callable[P, R], /) -> RemoteFunction[P, R]: ...
@overload
def remote(
    *, client: CumulusClient | None = None, **options: Any
) -> Callable[[Callable[P, R]], RemoteFunction[P, R]]: ...
def remote(
    func: Callable[..., Any] | None = None, /, *, client: CumulusClient | None = None, **options: Any
) -> Any:
    """Make a function run elsewhere: ``@remote`` or ``@remote(gpu=0.5, requirements=["scikit-learn"])``.

    Options as for ``CumulusClient.run``; they are checked here.
    """
    if func is not None:
        return RemoteFunction(func, {}, client)
    from .client.options import NAMES, checked
    from .protocol.errors import InvalidArgument

    for name in options:
        if name not in (*NAMES, *_WAITING):
            raise InvalidArgument(f"@remote has no option {name}", next=f"There are: {', '.join(NAMES)}.")
    checked({key: value for key, value in options.items() if key in NAMES})
    return lambda func: RemoteFunction(func, options, client)


def default_client() -> CumulusClient:
    """The client of this process; in IPython the one of the magic, so that both use one relay."""
    module: Any = sys.modules.get("IPython")
    shell = None if module is None else module.get_ipython()
    magics = None if shell is None else shell.magics_manager.registry.get("CumulusMagics")
    client: CumulusClient = _own_client() if magics is None else magics.session.client
    return client


@functools.cache
def _own_client() -> CumulusClient:
    from .client.api import CumulusClient

    return CumulusClient()
