"""Documents put into a log as cdc would, where a benchmark is about who reads them."""

from collections.abc import Iterable

from twin_contracts.documents import Raw, content_hash
from twin_contracts.events import Cause, DocumentChanged, Version
from twin_contracts.queues import Lane, Queue, partition_of
from twin_platform.log.port import EventLog

CONFIRM_SECONDS = 60.0


def changed(document: Raw, increment: int) -> DocumentChanged:
    """Return the live event that brings a document."""
    return DocumentChanged(
        document_id=document.id,
        version=Version(seconds=1_700_000_000, increment=increment),
        cause=Cause.LIVE,
        content_hash=content_hash(document),
        size=len(document.text.encode()),
        after=document,
    )


def publish(log: EventLog, documents: Iterable[Raw]) -> int:
    """Publish each in its partition, wait until all are confirmed, and return how many they were."""
    confirmations = [
        log.publish(Queue(partition_of(document.id, log.partitions), Lane.LIVE), changed(document, number))
        for number, document in enumerate(documents, 1)
    ]
    for confirmation in confirmations:
        confirmation.result(CONFIRM_SECONDS)
    return len(confirmations)
