"""Open the event log that a URL names."""

from twin_contracts.queues import DEFAULT_PARTITIONS
from twin_platform.errors import UnknownScheme
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
