"""Random generators go on where they were, there and back, and stay the objects that they are."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest

from cumulus_jupyter.protocol.errors import InvalidArgument
from cumulus_jupyter.values import decode, encode
from tests.unit.values.support import Job, there

BITS = ["MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"]
MAKERS = [
    lambda: random.Random(3),
    lambda: np.random.RandomState(3),
    *(lambda name=name: np.random.Generator(getattr(np.random, name)(3)) for name in BITS),
]


def draw(generator: Any) -> list[float]:
    normal = getattr(generator, "gauss", None) or generator.normal
    return [generator.random() if hasattr(generator, "random") else generator.rand(), normal(0, 1)]


@pytest.mark.parametrize("make", MAKERS)
def test_it_goes_on_there_and_here(make: Any) -> None:
    generator, twin = make(), make()
    draw(generator), draw(twin)
    job = Job({"rng": generator, "holder": [generator]})
    assert draw(job["rng"]) == draw(twin)
    assert job["holder"][0] is job["rng"]
    assert job.back()["rng"] is generator
    assert draw(generator) == draw(twin)


@pytest.mark.parametrize("make", MAKERS)
def test_it_is_unchanged_where_nothing_was_drawn(make: Any) -> None:
    there(make())


def test_children_are_the_same() -> None:
    generator = np.random.default_rng([3, 4])
    generator.spawn(1)
    found = there(generator)
    assert found.spawn(2)[1].random() == generator.spawn(2)[1].random()


@pytest.mark.parametrize(
    ("generator", "place"), [(np.random.RandomState(3), "pos"), (MAKERS[5](), "buffer_pos")]
)
@pytest.mark.parametrize("value", [-1, 10**6, "x"])
def test_a_place_that_is_none_is_refused(generator: Any, place: str, value: Any) -> None:
    encoded = encode({"x": generator})
    told = json.loads(bytes(encoded.blobs["b0"]))
    state = told[0] if isinstance(told, list) else told
    (state if place in state else state["state"])[place] = value
    with pytest.raises(InvalidArgument):
        decode(encoded.graph, {"b0": json.dumps(told).encode()}, allow_pickle=False)
