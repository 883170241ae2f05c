"""Open the event log that a URL names."""

from twin_contracts.queues import DEFAULT_PARTITIONS
from twin_platform.errors import UnknownScheme
from twin_platform.log.errors import NothingDeclared
from twin_platform.log.port import EventLog
from twin_platform.log.sqlite import SqliteEventLog
from twin_platform.urls import path_of, scheme_of


def open_event_log(url: str, partitions: int = DEFAULT_PARTITIONS) -> EventLog:
    """Return the event log of `url`; a new SQLite file is created with this many partitions.

    Raises:
        UnknownScheme: no adapter has the URL's scheme.
        PartitionsFixed: it was installed with another number.
    """
    match scheme_of(url):
        case "sqlite":
            return SqliteEventLog(path_of(url), partitions)
        case "amqp" | "amqps":
            from twin_platform.log.rabbitmq import RabbitmqEventLog  # noqa: PLC0415 - pika is loaded where it is used

            return RabbitmqEventLog(url, partitions)
        case _:
            raise UnknownScheme(port="event log", url=url, known=("sqlite", "amqp", "amqps"))


def undeclare_event_log(url: str, right: str) -> int:
    """Delete every queue of the log, so that another number can be declared; return how many events were in them.

    Args:
        right: the one that is held by who declares queues.

    Raises:
        NothingDeclared: its queues are rows of a file.
        RightTaken, LogInUse: somebody declares queues or reads them.
    """
    if scheme_of(url) not in {"amqp", "amqps"}:
        raise NothingDeclared(url)
    from twin_platform.log.rabbitmq import RabbitmqEventLog  # noqa: PLC0415 - the same

    with RabbitmqEventLog(url) as log, log.exclusive(right):
        return log.undeclare()
