"""Errors of the event log."""

from twin_contracts.queues import Queue
from twin_platform.errors import DatabaseUnavailable, PermanentError, TransientError


class LogUnavailable(DatabaseUnavailable):
    """The log did not answer; what was published may or may not have arrived."""

    holds = "only what is on its way: move it away with its -wal and -shm, and that is sent again"


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


class PartitionsFixed(PermanentError):
    """The log was installed with another number of partitions."""

    runbook = "The number of partitions differs"

    def __init__(self, log: str, installed: int, asked: int) -> None:
        self.log, self.installed, self.asked = log, installed, asked
        super().__init__(
            f"the event log {log!r} was installed with {installed} partitions and cannot be opened with {asked}: "
            f"a document would change its queue; set LOG_PARTITIONS back to {installed}, or change the number as the "
            "runbook says"
        )


class LogInUse(PermanentError):
    """Queues were to be deleted that somebody reads."""

    runbook = "The number of partitions differs"

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        super().__init__(f"{queue.name!r} is read by a flow, and nothing was deleted; stop every flow, then try again")


class NothingDeclared(PermanentError):
    """Queues were to be deleted of a log that has none."""

    runbook = "The number of partitions differs"

    def __init__(self, url: str) -> None:
        self.url = url
        super().__init__(
            f"the event log {url!r} is a file that its queues are rows of; stop everything, and move it away with its "
            "-wal and -shm"
        )


class NewerSchema(PermanentError):
    """An event was written by a newer release than this one."""

    runbook = "A newer version has written"

    def __init__(self, schema_version: int, known: int) -> None:
        self.schema_version, self.known = schema_version, known
        super().__init__(
            f"a change event has schema version {schema_version} and this release reads up to {known}; "
            "nothing was acknowledged: update this service before cdc"
        )
