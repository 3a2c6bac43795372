"""What a bench tells, and the arithmetic on samples."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

#: Units of which more is better; for all others less is.
RATES = frozenset({"jobs/s"})


@dataclass(frozen=True)
class Measurement:
    """Our figure beside the peer's."""

    bench: str
    ours: float
    peer: float
    peer_name: str
    unit: str
    #: Whatever else was seen: quantiles, counts, the limit that is aimed at.
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """Below 1 is better than the peer, for times and for rates alike."""
        return self.peer / self.ours if self.unit in RATES else self.ours / self.peer

    def line(self) -> str:
        """The measurement as one line of JSON."""
        body = {
            "bench": self.bench,
            "ours": round(self.ours, 3),
            "peer": round(self.peer, 3),
            "peer_name": self.peer_name,
            "unit": self.unit,
            "ratio": round(self.ratio, 3),
        }
        more = {key: round(v, 3) if isinstance(v, float) else v for key, v in self.more.items()}
        return json.dumps({**body, **more})


def p50(samples: Sequence[float]) -> float:
    """The median."""
    return statistics.median(samples)


def p99(samples: Sequence[float]) -> float:
    """The sample below which 99 of 100 lie."""
    return sorted(samples)[min(len(samples) - 1, int(len(samples) * 0.99))]


def timed_ms(call: Callable[[], object]) -> float:
    """Milliseconds that one call takes."""
    begin = time.perf_counter()
    call()
    return (time.perf_counter() - begin) * 1e3


def latency(
    bench: str, ours: Sequence[float], peer: Sequence[float], peer_name: str, unit: str = "ms", **more: Any
) -> Measurement:
    """Two series of times: medians compared, with the 99th percentiles beside them."""
    tails = {
        "p50": p50(ours),
        "p99": p99(ours),
        "peer_p50": p50(peer),
        "peer_p99": p99(peer),
        "ratio_p99": p99(ours) / p99(peer),
        "samples": len(ours),
    }
    return Measurement(bench, p50(ours), p50(peer), peer_name, unit, {**tails, **more})
