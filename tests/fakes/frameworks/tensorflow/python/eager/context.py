"""The context of eager operations."""


class Context:
    """It begins once."""

    initialized = False

    def ensure_initialized(self) -> None:
        """Begin, if it has not."""
        self.initialized = True


context = Context()
