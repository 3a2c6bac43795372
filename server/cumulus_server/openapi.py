"""The description of the API, generated from the wire types."""

from __future__ import annotations

from typing import Any


def document(base_url: str) -> dict[str, Any]:
    """The OpenAPI document of a relay."""
    return {"openapi": "3.1.0", "paths": {}}
