"""Going there and back, as client and runner do it."""

from __future__ import annotations

import json
from typing import Any

from cumulus_jupyter.values import (
    Applied,
    Decoded,
    Encoded,
    EncodeOptions,
    apply_changes,
    decode,
    encode,
    encode_changes,
)


def travel(encoded: Encoded) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What arrives: the graph after JSON, the blobs as bytes of their own."""
    graph = json.loads(json.dumps(encoded.graph, allow_nan=False).encode("utf-8"))
    return graph, {name: bytes(blob) for name, blob in encoded.blobs.items()}


class Job:
    """One program's way: ``sent`` names there, what ``run`` does to them, and back."""

    def __init__(self, sent: dict[str, Any], **options: Any) -> None:
        self.encoded = encode(sent, EncodeOptions(**options))
        graph, blobs = travel(self.encoded)
        self.namespace: dict[str, Any] = {"__name__": "__main__"}
        allow = bool(options.get("allow_pickle"))
        self.decoded: Decoded = decode(graph, blobs, allow_pickle=allow, namespace=self.namespace)
        self.namespace.update(self.decoded.values)

    def __getitem__(self, name: str) -> Any:
        return self.namespace[name]

    def changes(self, allow_pickle: bool = False, full: bool = False, **options: Any) -> Encoded:
        """What the job sends back of its namespace."""
        after = {name: value for name, value in self.namespace.items() if not name.startswith("__")}
        return encode_changes(
            self.decoded, after, EncodeOptions(allow_pickle=allow_pickle, **options), full=full
        )

    def back(self, here: dict[str, Any] | None = None, source: str = "", pickle: bool = False) -> Applied:
        """What the notebook binds."""
        changes = self.changes(allow_pickle=pickle)
        assert not changes.refused
        graph, blobs = travel(changes)
        return apply_changes(
            graph,
            blobs,
            self.encoded.originals,
            allow_pickle=pickle,
            namespace={} if here is None else here,
            known_source=source,
        )


def there(value: Any, **options: Any) -> Any:
    """A value as the job sees it; nothing about it counts as changed."""
    job = Job({"value": value}, **options)
    assert not job.encoded.refused, job.encoded.refused
    assert job.changes(allow_pickle=bool(options.get("allow_pickle"))).graph["roots"] == {}
    return job["value"]
