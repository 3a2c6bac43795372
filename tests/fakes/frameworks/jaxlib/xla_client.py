"""What the environment says of memory, in either of its words but not in both."""

import os


def generate_pjrt_gpu_plugin_options() -> dict[str, str]:
    """As jaxlib reads it when a backend begins."""
    newer = os.getenv("XLA_CLIENT_MEM_FRACTION", "")
    older = os.getenv("XLA_PYTHON_CLIENT_MEM_FRACTION", "")
    if newer and older:
        raise ValueError("both are set")
    return {"memory_fraction": newer or older}
