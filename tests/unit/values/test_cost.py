"""What a small cell pays: no library is loaded for it, and a few numbers are nearly free."""

from __future__ import annotations

import subprocess
import sys

from cumulus_jupyter.values import decode, encode, encode_changes
from tests.cost import least_s, yardstick


def test_a_trivial_namespace_costs_next_to_nothing() -> None:
    def once() -> None:
        decoded = decode(encode({"x": 1, "y": 2.5, "z": "s"}).graph, {}, allow_pickle=False, namespace={})
        encode_changes(decoded, {**decoded.values, "x": 2})

    assert least_s(once) < least_s(yardstick)


def test_nothing_heavy_is_imported() -> None:
    program = (
        "import sys\n"
        "from cumulus_jupyter.values import encode, decode, encode_changes, apply_changes, RemoteValue\n"
        "e = encode({'x': 1, 'y': [1, 'a']}); d = decode(e.graph, e.blobs, allow_pickle=False)\n"
        "c = encode_changes(d, {**d.values, 'z': 2})\n"
        "apply_changes(c.graph, c.blobs, e.originals, allow_pickle=False, namespace={})\n"
        "print(sorted({'numpy', 'pandas', 'pickle', 'cloudpickle', 'ast', 'hashlib'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(eval(found.stdout)) <= {"ast"}  # some interpreters load it for dataclasses
