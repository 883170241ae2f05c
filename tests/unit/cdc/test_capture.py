"""States as events: what travels, what stays behind, and what is told of what nobody can read."""

from datetime import UTC, datetime

import pytest

from fakes.flow import post
from twin_cdc.capture import event_of, messages_of, messages_of_snapshot
from twin_contracts.documents import content_hash
from twin_contracts.events import CLAIM_CHECK_BYTES, Cause, DocumentChanged, DocumentDeleted, DocumentInvalid, Version
from twin_contracts.queues import Lane, partition_of
from twin_platform.documents.port import DeletedDocument, InvalidDocument, Snapshot, StoredDocument

VERSION = Version(seconds=7, increment=3)
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
HELLO = post("hello", "Hello.")


def stored(size: int) -> StoredDocument:
    return StoredDocument(HELLO.id, VERSION, MOMENT, content_hash(HELLO), size, HELLO)


@pytest.mark.parametrize(("size", "after"), [(CLAIM_CHECK_BYTES, HELLO), (CLAIM_CHECK_BYTES + 1, None)])
def test_a_body_above_64_kib_stays_in_the_store_and_leaves_its_size_and_hash(size: int, after: object) -> None:
    event = event_of(stored(size), Cause.LIVE)

    assert isinstance(event, DocumentChanged)
    assert (event.after, event.size, event.content_hash) == (after, size, content_hash(HELLO))


def test_a_change_that_the_feed_saw_without_a_body_is_a_claim_check() -> None:
    event = event_of(StoredDocument(HELLO.id, VERSION, None, None, 0, None), Cause.LIVE)

    assert event == DocumentChanged(document_id=HELLO.id, version=VERSION, cause=Cause.LIVE)


def test_an_invalid_document_keeps_the_hash_of_its_bytes_and_as_much_of_the_reason_as_fits() -> None:
    event = event_of(InvalidDocument(HELLO.id, VERSION, "a" * 64, "no text; " * 1000), Cause.LIVE)

    assert isinstance(event, DocumentInvalid)
    assert (event.content_hash, event.reason[:7], len(event.reason)) == ("a" * 64, "no text", 2000)


def test_what_has_no_document_id_is_told_and_deleted_under_one_derived_id_in_one_queue() -> None:
    invalid = InvalidDocument("no\x00id", VERSION, "a" * 64, "id: wrong")
    deleted = DeletedDocument("no\x00id", VERSION, MOMENT)

    (first, told), (second, gone) = messages_of([invalid, deleted], Cause.LIVE, Lane.LIVE, 8)

    assert isinstance(told, DocumentInvalid)
    assert isinstance(gone, DocumentDeleted)
    assert told.document_id == gone.document_id
    assert first == second == (partition_of(told.document_id, 8), Lane.LIVE)
    assert "no document id; id: wrong" in told.reason


def test_an_absent_id_is_deleted_at_the_version_of_the_read_on_the_refill_lane() -> None:
    [(queue, event)] = messages_of_snapshot(Snapshot((), (HELLO.id,), VERSION), Cause.REPLAY, 8)

    assert event == DocumentDeleted(document_id=HELLO.id, version=VERSION, cause=Cause.REPLAY)
    assert queue == (partition_of(HELLO.id, 8), Lane.REFILL)
