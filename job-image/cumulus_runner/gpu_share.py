"""Has torch, jax and tensorflow keep to the job's share of its GPU, if and when the job imports them.

Each is told by its own means: jax by its environment, torch and tensorflow at the moment when they begin to
use a GPU, which is never earlier for this. What the user sets of the same kind stands. A framework that has
changed so that it cannot be told is left alone: nothing here may break an import.
"""

from __future__ import annotations

import functools
import os
import sys
from typing import Any, Callable, Dict, Mapping

from .after_import import after_import

#: The variable that every jax knows, and what newer ones call it; they refuse to have both.
_JAX, _JAX_NEWER = "XLA_PYTHON_CLIENT_MEM_FRACTION", "XLA_CLIENT_MEM_FRACTION"


class Share:
    """What the job has of its one device."""

    def __init__(self, fraction: float, memory_mib: int) -> None:
        self.fraction, self.memory_mib = fraction, memory_mib


def hold(place: Mapping[str, Any]) -> None:
    """Begin to hold the frameworks to ``place["gpu_fraction"]``; call once the job's environment is complete.

    ``place`` has the fields ``gpu_fraction`` and ``gpu_memory_mib`` of an Assignment.
    """
    share = Share(float(place.get("gpu_fraction") or 0), int(place.get("gpu_memory_mib") or 0))
    if not 0 < share.fraction < 1:
        return
    if _JAX_NEWER not in os.environ:
        os.environ.setdefault(_JAX, f"{share.fraction:g}")
    tell: Dict[str, Callable[[], None]] = {}
    for name, framework in (("torch", _tell_torch), ("jax", _tell_jax), ("tensorflow", _tell_tensorflow)):
        tell[name] = functools.partial(_quietly, framework, share)
    after_import(tell)


def _quietly(tell: Callable[[Share], None], share: Share) -> None:
    try:
        tell(share)
    except Exception:
        pass  # It is not the framework that this was written for: it holds itself to nothing.


def _tell_torch(share: Share) -> None:
    cuda = sys.modules["torch.cuda"]

    def limit() -> None:
        for device in range(cuda.device_count()):
            cuda.set_per_process_memory_fraction(share.fraction, device)

    # When CUDA begins; at once where it has. A later call of the user's has the last word.
    cuda._lazy_call(functools.partial(_quietly, lambda _: limit(), share))


def _tell_jax(share: Share) -> None:
    client: Any = sys.modules["jaxlib.xla_client"]
    original = client.generate_pjrt_gpu_plugin_options

    @functools.wraps(original)
    def generate_pjrt_gpu_plugin_options(*arguments: Any, **named: Any) -> Any:
        if _JAX_NEWER in os.environ and os.environ.get(_JAX) == f"{share.fraction:g}":
            del os.environ[_JAX]  # The user has said it since, in the newer word.
        return original(*arguments, **named)

    client.generate_pjrt_gpu_plugin_options = generate_pjrt_gpu_plugin_options


def _tell_tensorflow(share: Share) -> None:
    context = sys.modules["tensorflow.python.eager.context"].Context
    original = context.ensure_initialized

    @functools.wraps(original)
    def ensure_initialized(self: Any) -> Any:
        context.ensure_initialized = original  # Once is enough, and the limit itself may ask for it.
        _quietly(_limit_tensorflow, share)
        return original(self)

    context.ensure_initialized = ensure_initialized


def _limit_tensorflow(share: Share) -> None:
    config = sys.modules["tensorflow"].config
    for device in config.list_physical_devices("GPU") if share.memory_mib else ():
        if not config.get_logical_device_configuration(device):  # The user has made none.
            limit = config.LogicalDeviceConfiguration(memory_limit=share.memory_mib)
            config.set_logical_device_configuration(device, [limit])
