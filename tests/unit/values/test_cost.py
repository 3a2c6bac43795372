"""What a small cell pays: no library is loaded for it, and a few numbers are nearly free."""

from __future__ import annotations

import subprocess
import sys
import time

from cumulus_jupyter.values import decode, encode, encode_changes


def test_a_trivial_namespace_costs_next_to_nothing() -> None:
    def once() -> float:
        start = time.perf_counter()
        decoded = decode(encode({"x": 1, "y": 2.5, "z": "s"}).graph, {}, allow_pickle=False, namespace={})
        encode_changes(decoded, {**decoded.values, "x": 2})
        return time.perf_counter() - start

    assert min(once() for _ in range(200)) < 200e-6


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
