"""The audit: what differs is asked for again, what is left over goes, and what is only on its way is neither."""

import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest

from fakes.audited import EMBEDDER, REGISTRY, Audited
from twin_contracts.audit import AuditCounts, AuditReport, AuditRequest, AuditState
from twin_contracts.documents import document_id_of, told_id
from twin_contracts.events import ZERO, Cause, Version
from twin_contracts.records import DocumentRecord, RecordStatus, text_hash_of
from twin_feature_stream import audit as module
from twin_feature_stream.audit import audit
from twin_feature_stream.in_hand import IN_HAND, InHand
from twin_platform.features.engine import Alias, Point, Upsert
from twin_platform.features.port import ApplyDocument, ApplySlice
from twin_platform.records.audits import (
    AUDIT_REPORTS,
    ask_audit,
    audit_report,
    forget_reports,
    last_report,
    open_audits,
)
from twin_platform.records.reemissions import ask_reemission


@pytest.fixture
def world() -> Audited:
    """Three documents that are whole."""
    world = Audited()
    for name in "abc":
        world.put(name, f"first of {name}", f"second of {name}")
    return world


def only(report: AuditReport, **counts: int) -> bool:
    """Return whether the report counts these differences and no other."""
    expected = AuditCounts().model_copy(update=counts)
    seen = report.counts.model_copy(update={"documents": 0, "records": 0, "chunks": 0})
    return seen == expected


def asked_ids(world: Audited) -> list[str]:
    return [document_id for request in world.asked() for document_id in request.ids or ()]


def plant_below(world: Audited, name: str, at: Version, text: str) -> None:
    """Store a chunk of the document's revision in force as it was written at an earlier version."""
    chunk = next(iter(world.features.chunks(document_id_of(name))))
    payload = chunk.payload.model_copy(update={"version": at, "text_hash": text_hash_of(text), "text": text})
    point = Point(document_id_of(text), payload.model_dump(mode="json"), EMBEDDER.embed_query(text), text)
    world.features.engine.write(Alias.CHUNKS_PROSE, [Upsert((point,), ())])  # type: ignore[attr-defined]


class TestDifferences:
    def test_where_all_is_one_nothing_is_asked_for(self, world: Audited) -> None:
        world.features.apply([ApplyDocument(DocumentRecord.tombstone(document_id_of("gone"), world.version()))])

        report = world.audit()

        assert report.exact
        assert report.counts == AuditCounts(documents=3, records=4, chunks=6)
        assert (world.asked(), report.state, report.was_quiet) == ([], AuditState.FINISHED, True)

    def test_a_document_without_a_record_is_asked_for(self, world: Audited) -> None:
        document = world.store("d", "text")

        report = world.audit()

        assert only(report, missing=1)
        assert (asked_ids(world), report.asked_again) == ([document.id], 1)

    def test_a_document_whose_record_is_a_tombstone_is_missing(self, world: Audited) -> None:
        document_id = document_id_of("a")
        world.features.apply([ApplyDocument(DocumentRecord.tombstone(document_id, world.version()))])

        report = world.audit()

        assert only(report, missing=1)
        assert asked_ids(world) == [document_id]

    def test_a_record_of_other_content_is_stale(self, world: Audited) -> None:
        document = world.store("a", "edited")

        report = world.audit()

        assert only(report, stale=1)
        assert asked_ids(world) == [document.id]

    def test_a_record_whose_document_is_gone_is_unexpected(self, world: Audited) -> None:
        world.documents.delete(document_id_of("b"))

        report = world.audit()

        assert only(report, unexpected=1)
        assert asked_ids(world) == [document_id_of("b")]

    def test_a_record_that_misses_a_chunk_is_incomplete(self, world: Audited) -> None:
        mark = next(world.features.chunk_marks([document_id_of("b")]))
        world.features.remove_chunks([mark.id], mark.version)

        report = world.audit()

        assert only(report, incomplete=1)
        assert asked_ids(world) == [document_id_of("b")]

    @pytest.mark.parametrize("status", [RecordStatus.PARKED, RecordStatus.REJECTED])
    def test_a_refused_document_is_no_difference(self, world: Audited, status: RecordStatus) -> None:
        document = world.store("d", "text")
        record = world.change(document, ()).record
        world.features.apply([ApplyDocument(record.model_copy(update={"status": status, "text": None}))])

        assert world.audit().exact

    def test_each_kind_is_counted_and_asked_for_together(self, world: Audited) -> None:
        world.store("d", "text")
        world.store("a", "edited")
        world.documents.delete(document_id_of("b"))

        report = world.audit()

        assert only(report, missing=1, stale=1, unexpected=1)
        [request] = world.asked()
        assert set(request.ids or ()) == {document_id_of(name) for name in "abd"}
        assert (request.cause, report.reemissions) == (Cause.REFILL, (request.id,))

    def test_lists_have_no_more_ids_than_a_request_takes(self, world: Audited, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "MAX_REEMISSION_IDS", 4)
        for number in range(10):
            world.store(f"new {number}", "text")

        report = world.audit()

        assert sorted(len(request.ids or ()) for request in world.asked()) == [2, 4, 4]
        assert len(report.reemissions) == 3

    def test_more_than_can_be_listed_is_asked_for_as_everything(
        self, world: Audited, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "MOST_LISTED", 4)
        for number in range(10):
            world.store(f"new {number}", "text")

        world.audit()

        assert [request.ids for request in world.asked()] == [None]

    def test_a_record_newer_than_a_restored_store_gives_way_to_it(self, world: Audited) -> None:
        document = world.store("a", "restored")
        record = world.change(document, ("later",)).record
        ahead = record.version.model_copy(update={"seconds": record.version.seconds + 3600})
        newer = record.model_copy(update={"version": ahead, "content_hash": text_hash_of("later"), "chunks": 0})
        world.features.apply([ApplyDocument(newer)])

        world.audit()

        assert asked_ids(world) == [document.id]
        assert world.version() > ahead

    def test_documents_of_an_older_pipeline_are_told_and_left(self, world: Audited) -> None:
        document = world.store("d", "text")
        change = world.change(document, ())
        record = change.record.model_copy(update={"pipeline": text_hash_of("old"), "revision": text_hash_of("old")})
        world.features.apply([ApplyDocument(record)])

        report = world.audit()

        assert only(report, outdated=1)
        assert (world.asked(), report.exact) == ([], True)

    def test_what_is_stored_under_no_document_id_is_compared_under_the_id_that_tells_it(self, world: Audited) -> None:
        contents = world.documents.contents  # type: ignore[attr-defined]
        contents.rows["not an id"] = contents.rows[document_id_of("a")]
        [(_, digest)] = [one for one in world.documents.hashes(None, 9) if one[0] == "not an id"]
        record = DocumentRecord(
            document_id=told_id("not an id"), version=world.version(), content_hash=digest, status=RecordStatus.REJECTED
        )
        before = world.audit()
        reemissions = [request.ids for request in world.asked()]
        world.features.apply([ApplyDocument(record)])
        world.records.bodies.clear()  # type: ignore[attr-defined]

        after = world.audit()

        assert (before.counts.missing, reemissions) == (1, [None])
        assert (after.exact, after.counts.documents) == (True, 4)


class TestLeftovers:
    def test_a_chunk_older_than_its_record_goes_at_once(self, world: Audited) -> None:
        document = world.store("d", "new")
        left = world.slice(document, "old one", "old two")
        change = world.change(document, ("new",))
        engine = world.features.engine  # type: ignore[attr-defined]
        kept = {alias: dict(points) for alias, points in engine.points.items()}
        world.features.apply([change])
        for alias, points in kept.items():
            engine.points[alias] = points | engine.points[alias]

        report = world.audit()

        assert (report.chunks_removed, report.chunks_watched) == (2, 0)
        assert world.stored().isdisjoint(chunk.id for chunk in left)
        assert len(world.stored()) == 7

    def test_a_chunk_of_the_revision_in_force_that_it_does_not_need_goes(self, world: Audited) -> None:
        plant_below(world, "a", at=ZERO, text="a third one")

        report = world.audit()

        assert (report.chunks_removed, report.counts.differing, world.asked()) == (1, 0, [])
        assert len(world.stored()) == 6

    def test_a_record_that_came_without_its_chunks_keeps_those_that_it_names(self, world: Audited) -> None:
        document_id = document_id_of("a")
        record = world.features.records([document_id])[document_id]
        world.features.apply([ApplyDocument(record.model_copy(update={"version": world.version()}))])

        report = world.audit()

        assert report.exact
        assert len(world.stored()) == 6

    def test_a_chunk_that_is_written_again_just_before_it_is_removed_stays(
        self, world: Audited, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        document = world.store("d", "text")
        [left] = world.slice(document, "of an edit that is under way")
        tombstone = DocumentRecord.tombstone(document.id, world.version())
        world.features.apply([ApplyDocument(tombstone)])
        point = Point(left.id, left.payload.model_dump(mode="json"), left.vector, left.payload.text)
        world.features.engine.write(Alias.CHUNKS_PROSE, [Upsert((point,), ())])  # type: ignore[attr-defined]
        remove = world.features.remove_chunks

        def removed(ids: Sequence[str], up_to: Version) -> None:
            world.slice(document, "of an edit that is under way")
            remove(ids, up_to)

        monkeypatch.setattr(world.features, "remove_chunks", removed)
        world.audit()

        assert left.id in world.stored()

    def test_a_chunk_that_no_record_names_is_watched_and_its_document_asked_for(self, world: Audited) -> None:
        document = world.store("a", "first of a", "second of a")
        left = world.slice(document, "nobody's")

        report = world.audit()

        assert only(report, orphaned=1)
        assert (report.chunks_watched, report.chunks_removed, asked_ids(world)) == (1, 0, [document.id])
        assert left[0].id in world.stored()

    def test_chunks_of_a_document_that_nobody_knows_are_watched_too(self, world: Audited) -> None:
        world.slice(world.store("d", "x"), "one", "two")
        world.documents.delete(document_id_of("d"))

        report = world.audit()

        assert only(report, orphaned=1)
        assert (report.chunks_watched, asked_ids(world)) == (2, [document_id_of("d")])


class TestWhatIsOnItsWay:
    def test_what_arrives_before_the_second_look_is_no_difference(
        self, world: Audited, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        document = world.store("d", "text")
        late = world.store("a", "edited")
        ways = iter([2, 1])
        changes = [world.change(late, ("edited",)), world.change(document, ("text",))]

        def on_its_way() -> int:
            world.features.apply([changes.pop()])
            return next(ways, 0) if changes else 0

        world.capture()
        monkeypatch.setattr(module.Stores, "on_its_way", lambda _: on_its_way())
        report = audit(world.stores, REGISTRY, AuditRequest.new("test", world.clock.now()), world.stop)

        assert report is not None
        assert (report.exact, report.was_quiet, world.asked()) == (True, True, [])

    def test_chunks_whose_record_comes_before_the_second_look_are_not_watched(
        self, world: Audited, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        change = world.change(world.store("d", "text"), ("text",))
        world.features.apply([ApplySlice(change.chunks)])

        def on_its_way() -> int:
            world.features.apply([change])
            return 0

        world.capture()
        monkeypatch.setattr(module.Stores, "on_its_way", lambda _: on_its_way())
        report = audit(world.stores, REGISTRY, AuditRequest.new("test", world.clock.now()), world.stop)

        assert report is not None
        assert report.exact
        assert change.chunks[0].id in world.stored()

    def test_a_document_that_is_edited_between_the_looks_is_left_to_the_next_audit(
        self, world: Audited, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.store("d", "text")

        def on_its_way() -> int:
            world.store("d", "edited meanwhile")
            return 0

        world.capture()
        monkeypatch.setattr(module.Stores, "on_its_way", lambda _: on_its_way())
        report = audit(world.stores, REGISTRY, AuditRequest.new("test", world.clock.now()), world.stop)

        assert report is not None
        assert report.exact

    def test_where_events_never_stop_waiting_it_looks_again_all_the_same_and_says_so(
        self, world: Audited, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.store("d", "text")

        def on_its_way() -> int:
            world.clock.turn(timedelta(seconds=61))
            return 7

        monkeypatch.setattr(module.Stores, "on_its_way", lambda _: on_its_way())
        report = audit(world.stores, REGISTRY, AuditRequest.new("test", world.clock.now()), world.stop)

        assert report is not None
        assert (report.was_quiet, report.counts.missing, len(world.asked())) == (False, 1, 1)

    def test_it_waits_as_long_as_less_is_on_its_way(self, world: Audited, monkeypatch: pytest.MonkeyPatch) -> None:
        world.store("d", "text")
        ways = iter(range(9, 0, -1))

        def on_its_way() -> int:
            world.clock.turn(timedelta(seconds=100))
            return next(ways, 0)

        monkeypatch.setattr(module.Stores, "on_its_way", lambda _: on_its_way())
        report = audit(world.stores, REGISTRY, AuditRequest.new("test", world.clock.now()), world.stop)

        assert report is not None
        assert report.was_quiet

    def test_what_a_re_emission_of_everything_will_bring_is_not_asked_for_beside_it(
        self, world: Audited, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.store("d", "text")
        everything = ask_reemission(world.records, world.clock, "test")
        way = world.stores.on_its_way

        def on_its_way() -> int:
            world.clock.turn(timedelta(seconds=61))
            return way()

        world.capture()
        monkeypatch.setattr(module.Stores, "on_its_way", lambda _: on_its_way())
        report = audit(world.stores, REGISTRY, AuditRequest.new("test", world.clock.now()), world.stop)

        assert report is not None
        assert (report.counts.missing, report.asked_again) == (1, 0)
        assert [request.id for request in world.asked()] == [everything.id]

    def test_everything_that_can_be_on_its_way_counts(self, world: Audited) -> None:
        before_capture = world.stores.on_its_way()
        world.capture()
        quiet = world.stores.on_its_way()
        ask_reemission(world.records, world.clock, "test")
        asked = world.stores.on_its_way()
        for index in range(2):  # there is one flow; the other's record is of a time when there were two
            handling = tuple(document_id_of(str(number)) for number in range(3))
            world.records.put(IN_HAND, str(index), InHand(owner="a flow", handling=handling))

        assert (before_capture, quiet, asked, world.stores.on_its_way()) == (1, 0, 1, 4)


class TestRequests:
    def test_it_tells_how_far_it_is(self, world: Audited, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "TELL_SECONDS", 0.0)
        seen: list[tuple[AuditState, int, int]] = []
        put = world.records.put

        def told(collection: object, key: str, record: object, if_revision: int | None = None) -> int:
            if isinstance(record, AuditReport):
                seen.append((record.state, record.checked, record.total))
            return put(collection, key, record, if_revision)  # type: ignore[arg-type,type-var]

        monkeypatch.setattr(world.records, "put", told)
        world.audit()

        assert seen[0] == (AuditState.COMPARING, 0, 9)
        assert (AuditState.COMPARING, 3, 9) in seen
        assert (AuditState.SETTLING, 9, 9) in seen
        assert seen[-1][0] is AuditState.FINISHED

    def test_it_ends_when_it_is_stopped_and_stays_asked_for(self, world: Audited) -> None:
        asked = ask_audit(world.records, world.clock, "test")
        stop = threading.Event()
        stop.set()

        report = audit(world.stores, REGISTRY, open_audits(world.records)[0], stop)

        assert report is None
        assert [request.id for request in open_audits(world.records)] == [asked.id]

    def test_who_asks_while_one_waits_joins_it(self, world: Audited) -> None:
        first = ask_audit(world.records, world.clock, "one")
        world.clock.turn(timedelta(seconds=1))

        second = ask_audit(world.records, world.clock, "two")

        assert second == first
        assert len(open_audits(world.records)) == 1

    def test_who_asks_while_one_runs_gets_the_next(self, world: Audited) -> None:
        first = ask_audit(world.records, world.clock, "one")
        world.records.put(AUDIT_REPORTS, first.id, first)
        world.clock.turn(timedelta(seconds=1))

        second = ask_audit(world.records, world.clock, "two")

        assert [request.id for request in open_audits(world.records)] == [first.id, second.id]

    def test_a_report_is_forgotten_after_a_week_but_the_last_one(self, world: Audited) -> None:
        first = world.audit()
        world.clock.turn(timedelta(days=1))
        second = world.audit()
        world.clock.turn(timedelta(days=30))

        forgotten = forget_reports(world.records, world.clock)

        assert (forgotten, audit_report(world.records, first.id)) == (1, None)
        assert last_report(world.records) == second
