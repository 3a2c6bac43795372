"""Random generators of the standard library and of numpy: all that they are is numbers."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional

from .containers import Kind

if TYPE_CHECKING:
    from .decoder import Decoder
    from .encoder import Encoder

#: numpy's sources of random bits, and what their numbers are.
_BITS = {"MT19937": "u4", "PCG64": "u8", "PCG64DXSM": "u8", "Philox": "u8", "SFC64": "u8"}
#: The last place in what a source has in store: numpy itself does not check it.
_LAST = {"pos": 624, "buffer_pos": 4}
_POOL = 4


def encode(encoder: Encoder, obj: Any) -> Optional[Dict[str, Any]]:
    """The node of a generator; ``None`` for all else."""
    kind = f"{type(obj).__module__}.{type(obj).__name__}"
    told: Any
    if kind == "random.Random":
        told = obj.getstate()
    elif kind == "numpy.random._generator.Generator":
        bits = obj.bit_generator
        seeds = bits.seed_seq
        if type(bits).__name__ not in _BITS or getattr(seeds, "pool_size", 0) != _POOL:
            return None
        told = [bits.state, seeds.entropy, seeds.spawn_key, seeds.n_children_spawned]
    elif kind == "numpy.random.mtrand.RandomState":
        told = obj.get_state(legacy=False)
        if told["bit_generator"] != "MT19937":
            return None
    else:
        return None
    text = json.dumps(told, default=lambda numbers: numbers.tolist())
    return {"t": "rng", "of": type(obj).__name__, "b": encoder.blob(text.encode())}


class _Generator(Kind):
    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        told = json.loads(bytes(reader.blob(node["b"])))
        if node["of"] == "Random":
            version, numbers, kept = told
            made = random.Random(0)
            made.setstate((version, tuple(numbers), kept))
            return made
        import numpy as np

        if node["of"] == "RandomState":
            legacy = np.random.RandomState(0)
            legacy.set_state(_checked(told))
            return legacy
        state, entropy, key, spawned = told
        seeds = np.random.SeedSequence(entropy, spawn_key=key, n_children_spawned=spawned)
        bits: Any = getattr(np.random, _checked(state)["bit_generator"])(seeds)
        bits.state = state
        return np.random.Generator(bits)

    def renew(self, reader: Decoder, node: Mapping[str, Any], old: Any) -> bool:
        new = self.make(reader, node)
        if type(old) is not type(new):
            return False
        if isinstance(old, random.Random):
            old.setstate(new.getstate())
        elif node["of"] == "RandomState":
            old.set_state(new.get_state(legacy=False))
        else:
            if type(old.bit_generator) is not type(new.bit_generator):
                return False
            old.bit_generator.state = new.bit_generator.state
        return True


def _checked(state: Dict[str, Any]) -> Dict[str, Any]:
    """The state of numpy's bits, with its lists as arrays; made to hold none that would be read beyond."""
    import numpy as np

    numbers = _BITS[state["bit_generator"]]
    for part in (state, state["state"]):
        for name, value in part.items():
            if isinstance(value, list):
                part[name] = np.array(value, numbers)
            elif name in _LAST and not 0 <= value <= _LAST[name]:
                raise ValueError(f"a generator at place {value}")
    return state


KINDS: Dict[str, Kind] = {"rng": _Generator()}
