"""How long a test waits for what must come."""

from __future__ import annotations

#: Seconds. A guard against hanging, on a machine that is slow and has much else to do; no measure of speed.
LIMIT_S = 120.0
