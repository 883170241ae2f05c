"""Errors of the event log."""

from twin_contracts.queues import Queue
from twin_platform.errors import TransientError


class LogUnavailable(TransientError):
    """The log did not answer; what was published may or may not have arrived."""


class QueueMissing(TransientError):
    """A queue is not declared."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        super().__init__(f"queue {queue.name!r} does not exist yet; cdc declares it when it starts")


class RightTaken(TransientError):
    """Somebody else holds an exclusive right."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"{name!r} is held by another process; this one waits until that one ends")
