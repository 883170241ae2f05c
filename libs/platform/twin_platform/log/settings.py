"""The setting in which everybody agrees who speaks to the event log."""

from pydantic import Field

from twin_contracts.queues import DEFAULT_PARTITIONS, MOST_PARTITIONS
from twin_platform.settings import ServiceSettings


class LogChosen(ServiceSettings):
    """Mixed into a service's settings. The log knows what it was installed with, and refuses another number."""

    log_partitions: int = Field(default=DEFAULT_PARTITIONS, ge=1, le=MOST_PARTITIONS, validation_alias="LOG_PARTITIONS")
    """Partitions of the event log, chosen at installation; as many flows can share the work."""
