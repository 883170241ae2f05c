"""The flow over in-memory stores: what is published ends in both snapshots, whatever order and mishap."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import ClassVar

import pytest

from fakes.embedding import HashEmbedder
from fakes.features import InMemoryFeatureStore, InMemoryPointEngine, InterruptedEngine
from fakes.flow import DEADLINE, Stream, article, changed, deleted, eventually, post, version
from fakes.log import InMemoryEventLog
from twin_contracts.base import DocumentId
from twin_contracts.documents import DocumentType, Raw, content_hash
from twin_contracts.events import Cause, DocumentChanged, DocumentInvalid, EventHeaders, Purge
from twin_contracts.queues import Lane, Queue, partition_of
from twin_contracts.records import RecordStatus, Stage
from twin_feature_stream.bootstrap import build_registry
from twin_feature_stream.ports import Chunk, CleanDocument, Rejected
from twin_feature_stream.registry import HandlerRegistry
from twin_platform.features.errors import FeaturesUnavailable
from twin_platform.features.port import FeatureChange
from twin_platform.features.store import PointFeatureStore
from twin_platform.log.errors import LogUnavailable, NewerSchema
from twin_platform.records.reemissions import ask_reemission, open_reemissions
from twin_platform.records.unreadable import UNREADABLE
from twin_platform.telemetry.clock import SystemClock

HELLO = post("hello", "Bread needs time more than it needs kneading.")
BOOK = article("book", "\n\n".join(f"Paragraph {n} tells of stone {n} and water {n * 7}." for n in range(400)))


def status_of(stream: Stream, document: Raw) -> RecordStatus | None:
    record = stream.features.records([document.id]).get(document.id)
    return record.status if record else None


def test_a_published_document_is_indexed_whole_and_acknowledged() -> None:
    stream = Stream()
    stream.publish([changed(HELLO, 1)])

    stream.run()

    assert stream.texts(HELLO) == [HELLO.text]
    assert stream.features.records([HELLO.id])[HELLO.id].content_hash == content_hash(HELLO)
    assert stream.log.waiting() == 0


def test_a_deleted_document_leaves_nothing_but_its_tombstone() -> None:
    stream = Stream()
    stream.publish([changed(HELLO, 1), deleted(HELLO, 2)])

    stream.run()

    assert stream.texts(HELLO) == []
    assert status_of(stream, HELLO) is RecordStatus.DELETED


def test_an_older_event_that_comes_late_changes_nothing() -> None:
    stream = Stream()
    newer = post("hello", "The newest words.")
    stream.publish([changed(newer, 5)])
    stream.run()
    stream.publish([changed(HELLO, 4, Cause.REFILL), deleted(HELLO, 3)], Lane.REFILL)

    stream.run()

    assert stream.texts(newer) == ["The newest words."]
    assert stream.log.waiting() == 0


def test_what_is_published_twice_is_embedded_once() -> None:
    stream = Stream()
    stream.publish([changed(HELLO, 1)])
    stream.run()
    stream.publish([changed(HELLO, 1), changed(HELLO, 7, Cause.REFILL)])

    stream.run()

    assert stream.embedder.embedded == [HELLO.text]
    assert stream.features.records([HELLO.id])[HELLO.id].version == version(7)


def test_an_event_without_body_is_read_from_the_store_and_one_that_is_gone_counts_as_deleted() -> None:
    stream = Stream()
    gone = post("gone", "Nobody will read this.")
    stream.documents.upsert(HELLO)
    claims = [changed(HELLO, 1), changed(gone, 1)]
    stream.publish([claim.model_copy(update={"after": None}) for claim in claims])

    stream.run()

    assert stream.texts(HELLO) == [HELLO.text]
    assert status_of(stream, gone) is RecordStatus.DELETED


def test_a_document_above_the_budget_goes_in_slices_and_is_seen_whole_or_not_at_all() -> None:
    stream = Stream()
    seen: list[int] = []

    class Watching(HashEmbedder):
        def embed_documents(self, texts, stop=lambda: False):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            seen.append(len(list(stream.features.find_records())))
            return super().embed_documents(texts, stop)

    stream.embedder = Watching()
    stream.publish([changed(BOOK, 1)])

    stream.run()

    assert len(seen) > 1
    assert set(seen) == {0}
    assert "".join(stream.texts(BOOK)).split() == BOOK.text.split()


def test_other_documents_of_the_lane_do_not_wait_for_a_book() -> None:
    stream = Stream()
    other = next(
        post(f"other-{n}", "A short post.") for n in range(99) if partition_of(post(f"other-{n}", "").id, 8) == 3
    )
    book = next(article(f"book-{n}", BOOK.text) for n in range(99) if partition_of(post(f"book-{n}", "").id, 8) == 2)
    order: list[DocumentId] = []

    class Watching(InMemoryFeatureStore):
        def apply(self, changes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            super().apply(changes)
            order.extend(change.record.document_id for change in changes if hasattr(change, "record"))

    stream.features = Watching()
    stream.publish([changed(book, 1), changed(other, 1)])

    stream.run()

    assert order == [other.id, book.id]


def test_the_next_epoch_is_chunked_while_one_is_embedded() -> None:
    stream = Stream()
    halves = [article("first", BOOK.text[:12_000]), article("second", BOOK.text[-12_000:])]  # too much for one epoch
    second_chunked = Event()
    together: list[bool] = []

    class Waiting(HashEmbedder):
        def embed_documents(self, texts, stop=lambda: False):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            together.append(second_chunked.wait(DEADLINE))
            return super().embed_documents(texts, stop)

    chunked: list[str] = []
    stream.embedder = Waiting()
    registry = build_registry(stream.embedder)

    @dataclass(frozen=True)
    class Telling:
        version: ClassVar[int] = 1

        def __call__(self, document: CleanDocument) -> Sequence[Chunk]:
            chunked.append(document.text)
            if len(chunked) == 2:
                second_chunked.set()
            return registry.chunk(DocumentType.ARTICLE)(document)

    stream.registry = HandlerRegistry({**registry._table, (DocumentType.ARTICLE, Stage.CHUNK): Telling()})
    stream.publish([changed(half, number, Cause.LIVE) for number, half in enumerate(halves, 1)], partition=0)

    stream.run()

    assert together[0]
    assert {status_of(stream, half) for half in halves} == {RecordStatus.INDEXED}


def test_a_purge_buries_what_the_re_emission_did_not_bring() -> None:
    stream = Stream()
    gone = post("gone", "Deleted while nobody looked.")
    stream.publish([changed(HELLO, 1), changed(gone, 2)])
    stream.run()
    stream.publish([changed(HELLO, 10, Cause.REFILL)], Lane.REFILL)
    for partition in range(8):
        stream.publish([Purge(before=version(10))], Lane.REFILL, partition)

    stream.run()

    assert status_of(stream, HELLO) is RecordStatus.INDEXED
    assert status_of(stream, gone) is RecordStatus.DELETED
    assert stream.texts(gone) == []


def test_live_events_go_before_refill() -> None:
    stream = Stream()
    for number in range(40):
        refill = post(f"refill-{number}", f"Old text number {number}.")
        stream.publish([changed(refill, 1, Cause.REFILL)], Lane.REFILL)
    live = [post(f"live-{number}", f"New text number {number}.") for number in range(4)]
    stream.publish([changed(document, 2) for document in live])

    stream.run()

    places = [stream.embedder.embedded.index(document.text) for document in live]
    assert max(places) < 4


def test_an_invalid_stored_document_gets_its_reason_and_its_old_chunks_go() -> None:
    stream = Stream()
    stream.publish([changed(HELLO, 1)])
    stream.run()
    reason = "title: Field required"
    stream.publish(
        [
            DocumentInvalid(
                document_id=HELLO.id, version=version(2), cause=Cause.LIVE, content_hash="0" * 64, reason=reason
            )
        ]
    )

    stream.run()

    record = stream.features.records([HELLO.id])[HELLO.id]
    assert (record.status, record.reason, record.content_hash) == (RecordStatus.REJECTED, reason, "0" * 64)
    assert stream.texts(HELLO) == []


def test_a_body_that_cannot_be_decoded_gets_a_record_from_its_headers() -> None:
    stream = Stream()
    headers = EventHeaders(document_id=HELLO.id, version=version(1), content_hash=content_hash(HELLO))
    stream.log.put_raw(Queue(0, Lane.LIVE), headers, b"\xff not json")

    stream.run()

    record = stream.features.records([HELLO.id])[HELLO.id]
    assert (record.status, record.stage) == (RecordStatus.REJECTED, Stage.DECODE)
    assert stream.log.waiting() == 0


def test_a_body_that_nobody_can_attribute_is_kept_as_bytes() -> None:
    stream = Stream()
    stream.log.put_raw(Queue(0, Lane.LIVE), EventHeaders(), b"\xff not json")
    stream.publish([changed(HELLO, 1)])

    stream.run()

    assert len(stream.records.find(UNREADABLE)) == 1
    assert stream.texts(HELLO) == [HELLO.text]


def test_a_newer_schema_stops_the_flow_and_nothing_is_acknowledged() -> None:
    stream = Stream()
    body = changed(HELLO, 1).model_dump_json().replace('"schema_version":1', '"schema_version":2')
    stream.log.put_raw(Queue(0, Lane.LIVE), EventHeaders(), body.encode())

    with pytest.raises(NewerSchema):
        stream.run()

    assert stream.log.waiting() == 1


@dataclass(frozen=True)
class Picky:
    """Refuses one text, trips over another."""

    version: ClassVar[int] = 1
    surefooted: bool = field(default=False, repr=False)

    def __call__(self, document: Raw) -> CleanDocument | Rejected:
        if "refuse" in document.text:
            return Rejected(Stage.CLEAN, "it asks for it")
        if "trip" in document.text and not self.surefooted:
            message = "over its own feet"
            raise KeyError(message)
        clean = build_registry(HashEmbedder()).clean(document.type)(document)
        assert isinstance(clean, CleanDocument)
        return clean


def picky_registry(embedder: HashEmbedder, *, surefooted: bool = False) -> HandlerRegistry:
    table = dict(build_registry(embedder)._table)
    table[DocumentType.POST, Stage.CLEAN] = Picky(surefooted)
    return HandlerRegistry(table)


def test_a_refused_and_a_failing_document_do_not_touch_their_neighbours() -> None:
    stream = Stream()
    stream.registry = picky_registry(stream.embedder)
    refused, tripping = post("refused", "please refuse this"), post("tripping", "please trip")
    stream.publish([changed(document, 1) for document in (refused, HELLO, tripping)])

    stream.run()

    assert status_of(stream, HELLO) is RecordStatus.INDEXED
    records = stream.features.records([refused.id, tripping.id])
    assert (records[refused.id].status, records[refused.id].reason) == (RecordStatus.REJECTED, "it asks for it")
    assert records[tripping.id].status is RecordStatus.PARKED
    assert "over its own feet" in (records[tripping.id].reason or "")


def test_a_parked_revision_is_tried_again_only_when_it_is_replayed() -> None:
    stream = Stream()
    stream.registry = picky_registry(stream.embedder)
    tripping = post("tripping", "please trip")
    stream.publish([changed(tripping, 1)])
    stream.run()
    stream.registry = picky_registry(stream.embedder, surefooted=True)
    stream.publish([changed(tripping, 2, Cause.REFILL)], Lane.REFILL)
    stream.run()
    after_refill = status_of(stream, tripping)
    stream.publish([changed(tripping, 3, Cause.REPLAY)], Lane.REFILL)

    stream.run()

    assert after_refill is RecordStatus.PARKED
    assert status_of(stream, tripping) is RecordStatus.INDEXED


@pytest.mark.parametrize("words", [1, 2000], ids=["one epoch", "one epoch after the other"])
def test_a_replay_is_not_undone_by_the_re_emission_right_behind_it(words: int) -> None:
    stream = Stream()
    stream.registry = picky_registry(stream.embedder)
    tripping = post("tripping", "please trip " + "farther " * words)
    stream.publish([changed(tripping, 1)])
    stream.run()
    stream.registry = picky_registry(stream.embedder, surefooted=True)
    stream.publish([changed(tripping, 2, Cause.REPLAY), changed(tripping, 3, Cause.REFILL)], Lane.REFILL)

    stream.run()

    assert status_of(stream, tripping) is RecordStatus.INDEXED


def test_a_refused_version_removes_the_chunks_of_the_one_before() -> None:
    stream = Stream()
    stream.registry = picky_registry(stream.embedder)
    fine, worse = post("same", "a fine text"), post("same", "now refuse me")
    stream.publish([changed(fine, 1)])
    stream.run()
    stream.publish([changed(worse, 2)])

    stream.run()

    assert stream.texts(fine) == []
    assert status_of(stream, worse) is RecordStatus.REJECTED


def test_a_store_that_fails_in_the_middle_loses_nothing() -> None:
    def fail() -> None:
        waiting.append(stream.log.waiting())
        raise FeaturesUnavailable("write", "the test says so")

    waiting: list[int] = []
    stream = Stream(features=PointFeatureStore(InterruptedEngine(InMemoryPointEngine(), 2, fail)))
    documents = [post(f"post-{number}", f"Text number {number}.") for number in range(6)]
    stream.publish([changed(document, 1) for document in documents])

    with stream.running():
        eventually(lambda: stream.log.waiting() == 0)

    assert waiting == [len(documents)]
    assert [stream.texts(document) for document in documents] == [[document.text] for document in documents]


def test_an_empty_feature_store_asks_for_everything_before_the_flow_consumes() -> None:
    stream = Stream()

    stream.run()

    assert [request.reason for request in open_reemissions(stream.records)] == ["the feature store is empty"]


def test_a_feature_store_that_is_lost_while_the_flow_runs_is_asked_for_again() -> None:
    class Lost(InMemoryFeatureStore):
        lost = False

        def is_empty(self) -> bool:
            return self.lost

        def apply(self, changes: Sequence[FeatureChange]) -> None:
            if not self.lost:
                self.lost = True
                raise FeaturesUnavailable("write", "the test says so")
            super().apply(changes)

    stream = Stream(features=Lost())
    stream.publish([changed(post("first", "One text."), 1)])

    stream.run()

    assert [request.ids for request in open_reemissions(stream.records)] == [None]


def test_what_is_asked_for_already_and_not_begun_is_not_asked_for_twice() -> None:
    stream = Stream()
    asked = ask_reemission(stream.records, SystemClock(), "another flow asks")

    stream.run()

    assert open_reemissions(stream.records) == [asked]


def test_stores_that_are_away_at_the_start_are_waited_for() -> None:
    class LateStore(InMemoryFeatureStore):
        away = True

        def is_empty(self) -> bool:
            if self.away:
                self.away = False
                raise FeaturesUnavailable("read", "the test says so")
            return super().is_empty()

    class LateLog(InMemoryEventLog):
        away = True

        def missing(self) -> tuple[Queue, ...]:
            if self.away:
                self.away = False
                raise LogUnavailable("the test says so")
            return super().missing()

    log = LateLog()
    log.away = False
    stream = Stream(features=LateStore(), log=log)
    log.away = True
    stream.publish([changed(HELLO, 1)])

    stream.run()

    assert stream.texts(HELLO) == [HELLO.text]
    assert len(open_reemissions(stream.records)) == 1


def test_an_error_ends_the_embedding_of_the_epoch_behind_it() -> None:
    stream = Stream()
    second_embeds, failed = Event(), Event()
    asked_to_stop: list[bool] = []

    class Failing(InMemoryFeatureStore):
        def apply(self, changes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            if not failed.is_set():
                second_embeds.wait(DEADLINE)
                failed.set()
                raise FeaturesUnavailable("write", "the test says so")
            super().apply(changes)

    class Watching(HashEmbedder):
        calls = 0

        def embed_documents(self, texts, stop=lambda: False):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            self.calls += 1
            if self.calls == 2:
                second_embeds.set()
                eventually(stop)
                asked_to_stop.append(True)
            return super().embed_documents(texts, stop)

    stream.features, stream.embedder = Failing(), Watching()
    halves = [article("first", BOOK.text[:12_000]), article("second", BOOK.text[-12_000:])]  # too much for one epoch
    stream.publish([changed(half, number) for number, half in enumerate(halves, 1)], partition=0)

    stream.run()

    assert asked_to_stop == [True]
    assert {status_of(stream, half) for half in halves} == {RecordStatus.INDEXED}


def test_a_changed_event_that_carries_no_hash_and_no_body_is_a_claim_too() -> None:
    stream = Stream()
    stream.documents.upsert(HELLO)
    stream.publish([DocumentChanged(document_id=HELLO.id, version=version(1), cause=Cause.LIVE)])

    stream.run()

    assert stream.features.records([HELLO.id])[HELLO.id].content_hash == content_hash(HELLO)
