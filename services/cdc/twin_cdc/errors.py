"""Errors of the cdc service."""

from twin_platform.errors import TransientError


class RightLost(TransientError):
    """Another instance wrote the position: this one is no longer the active one and must begin again."""

    def __init__(self, source: str) -> None:
        self.source = source
        super().__init__(f"another cdc instance wrote the position of {source!r}; this one stops publishing and waits")
