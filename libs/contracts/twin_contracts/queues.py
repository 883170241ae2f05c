"""Names and arithmetic of the partitioned log."""

from enum import StrEnum
from typing import NamedTuple
from zlib import crc32

from twin_contracts.base import DocumentId

DEFAULT_PARTITIONS = 8
"""Chosen at installation; bounds the number of flow processes."""

MOST_PARTITIONS = 64
"""Each is two queues for a broker to keep; that many flows are one server's cores and more."""

EXCHANGE = "documents.v1"
"""Name of a broker's direct exchange, through which every event goes to its queue."""


class Lane(StrEnum):
    """Live events are handed out before refill; between the lanes versions decide."""

    LIVE = "live"
    REFILL = "refill"


class Queue(NamedTuple):
    """One ordered queue of the event log. One document always has the same partition, so one order per lane."""

    partition: int
    lane: Lane

    @property
    def name(self) -> str:
        """Return the queue's name on a broker."""
        return f"feature-stream.{EXCHANGE}.{self.lane}.{self.partition}"

    @property
    def routing_key(self) -> str:
        """Return the key by which a broker's exchange finds it."""
        return f"{self.lane}.{self.partition}"


def partition_of(document_id: DocumentId, partitions: int) -> int:
    """Return the document's partition: CRC-32 of its id modulo the number of partitions."""
    return crc32(document_id.encode()) % partitions


def queues_of(partitions: int) -> tuple[Queue, ...]:
    """Return every queue of a log with this many partitions, live ones first."""
    return tuple(Queue(partition, lane) for lane in Lane for partition in range(partitions))
