"""What a record says of a version that was refused or given up, and when such a revision is left alone."""

from collections.abc import Mapping

from twin_contracts.base import DocumentId
from twin_contracts.events import Cause, EventHeaders
from twin_contracts.records import DocumentRecord, RecordStatus, Stage, revision_of
from twin_feature_stream.in_hand import PARKED_AT
from twin_feature_stream.registry import HandlerRegistry

_REASON_LENGTH = 2000


def refused(base: DocumentRecord, status: RecordStatus, stage: Stage, reason: str) -> DocumentRecord:
    """Return the record of a version without text: what it is, and why there is none."""
    update = {"status": status, "stage": stage, "reason": reason[:_REASON_LENGTH], "chunks": 0, "text": None}
    return base.model_copy(update=update)


def told(error: BaseException) -> str:
    """Return an error as a reason that every store can hold, whatever it quotes."""
    return f"{type(error).__name__}: {error}".replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def killer(headers: EventHeaders, registry: HandlerRegistry) -> DocumentRecord | None:
    """Return the record of an event over which the process died too often; None where it names no document.

    Made of its headers alone, whatever the body would do to a decoder. Its type is not known from these, so its
    revision is one under all handlers together.
    """
    if headers.document_id is None or headers.version is None:
        return None
    return DocumentRecord(
        document_id=headers.document_id,
        version=headers.version,
        content_hash=headers.content_hash,
        pipeline=registry.all_pipelines(),
        revision=headers.content_hash and revision_of(headers.content_hash, registry.all_pipelines()),
        status=RecordStatus.PARKED,
        reason=f"the process died {PARKED_AT} times while it handled this document, at last alone; "
        f"`twin parked replay {headers.document_id}` tries it again",
    )


def stays_parked(revision: DocumentRecord, known: DocumentRecord | None, registry: HandlerRegistry) -> bool:
    """Return whether this very revision is parked: handled again, it would end in the same way."""
    if known is None or known.status is not RecordStatus.PARKED or revision.content_hash is None:
        return False
    return known.revision in (revision.revision, revision_of(revision.content_hash, registry.all_pipelines()))


def stays_unread(
    headers: EventHeaders, known: Mapping[DocumentId, DocumentRecord], registry: HandlerRegistry
) -> DocumentRecord | None:
    """Return the record of an event whose revision once killed the process, so that its body is not even decoded.

    None where it has to be read: its record is another one, or it is replayed.
    """
    parked = known.get(headers.document_id or "")
    if headers.cause is Cause.REPLAY or parked is None or parked.status is not RecordStatus.PARKED:
        return None
    present = killer(headers, registry)
    if present is None or present.revision is None or present.revision != parked.revision:
        return None
    return parked.model_copy(update={"version": present.version})
