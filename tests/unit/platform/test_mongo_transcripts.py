"""The MongoDB adapter over what a real MongoDB 5.0.7 said; what is expected stands in the transcript."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from typing import cast

import pytest
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, OperationFailure, WriteConcernError

from fakes.clock import SettableClock
from fakes.flow import eventually, post
from fakes.mongo import MemoryDatabase, Server, Stream
from fakes.mongo_transcript import Step, TranscriptDatabase, TranscriptStream, errors_of, events_of, transcript
from twin_contracts.documents import MAX_DOCUMENT_BYTES
from twin_contracts.events import Version
from twin_platform.documents.errors import PositionLost, StoreUnavailable
from twin_platform.documents.mongo import MongoDocumentStore
from twin_platform.documents.mongo_feed import LOST, MongoChangeFeed, pipeline_of, time_of
from twin_platform.documents.port import Change, DeletedDocument, InvalidDocument, StoredDocument
from twin_platform.mongo import ServerRefused, ServerUnfit, Stored, require_fit, translated

ENDING = {"drop", "rename", "dropDatabase", "invalidate"}


def handle(name: str) -> Database[Stored]:
    return cast("Database[Stored]", TranscriptDatabase(name))


@contextmanager
def feed_of(name: str, position: str | None = None) -> Iterator[MongoChangeFeed]:
    with closing(MongoChangeFeed(handle(name), "documents", position)) as feed:
        yield feed


def all_of(feed: MongoChangeFeed) -> tuple[list[Change], PositionLost | None]:
    """Return every change up to the end of the transcript, or to the loss of the position."""
    stream = cast("TranscriptStream", feed._stream)
    changes: list[Change] = []
    over = False
    try:
        while not over:
            over = stream.over  # asked before reading: nothing comes later then
            while read := feed.read(100, 0.01):
                changes += read
    except PositionLost as lost:
        return changes, lost
    return changes, None


def commands_of(name: str) -> list[Step]:
    return [step["command"] for step in transcript(name) if "command" in step]


def told(events: Sequence[Step]) -> list[tuple[str, Version]]:
    """Return the ids and versions of events, as the transcript has them."""
    return [(_id(event), _version(event)) for event in events]


def _id(event: Step) -> str:
    stored_id = event["documentKey"]["_id"]
    return stored_id if isinstance(stored_id, str) else f'{{"$numberInt": "{stored_id}"}}'


def _version(event: Step) -> Version:
    return Version(seconds=event["clusterTime"].time, increment=event["clusterTime"].inc)


def until_the_end(events: Sequence[Step]) -> list[Step]:
    """Return the events before the first that ends what the collection was."""
    ended = next((index for index, event in enumerate(events) if event["operationType"] in ENDING), len(events))
    return list(events[:ended])


class TestEvents:
    def test_every_change_has_the_documents_id_and_the_clusters_time(self) -> None:
        with feed_of("s01") as feed:
            changes, _ = all_of(feed)

        assert [(change.document_id, change.version) for change in changes] == told(until_the_end(events_of("s01")))

    def test_a_delete_is_one_and_an_update_whose_document_is_gone_has_no_body(self) -> None:
        with feed_of("s01") as feed:
            changes, _ = all_of(feed)

        for change, event in zip(changes, until_the_end(events_of("s01")), strict=True):
            if event["operationType"] == "delete":
                assert isinstance(change, DeletedDocument)
            elif event["fullDocument"] is None:
                assert isinstance(change, StoredDocument)
                assert change.document is None
            else:
                assert isinstance(change, InvalidDocument)  # the transcript's documents are none of ours
                assert "type" in change.reason

    @pytest.mark.parametrize("name", ["s01", "s02"])
    def test_a_rename_a_drop_or_a_dropped_database_loses_the_position_once_the_rest_is_read(self, name: str) -> None:
        ending = next(event["operationType"] for event in events_of(name) if event["operationType"] in ENDING)

        with feed_of(name) as feed:
            changes, lost = all_of(feed)

        assert len(changes) == len(until_the_end(events_of(name)))
        assert lost is not None
        assert f"{ending!r}" in lost.why

    def test_changes_of_documents_of_8_mib_pass_the_stream_whole(self) -> None:
        lengths = [event["fullDocument"]["length of b"] for event in events_of("s11")]
        assert set(lengths) == {MAX_DOCUMENT_BYTES}

        with feed_of("s11") as feed:
            changes, lost = all_of(feed)

        assert lost is None
        assert [(change.document_id, change.version) for change in changes] == told(events_of("s11"))
        stored = '{"_id": "8 MiB", "b": "' + "x" * MAX_DOCUMENT_BYTES + '"}'
        assert {getattr(change, "content_hash", None) for change in changes} == {sha256(stored.encode()).hexdigest()}

    def test_the_changes_of_one_transaction_share_a_version_and_come_without_body(self) -> None:
        with feed_of("s08") as feed:
            changes, _ = all_of(feed)

        assert [(change.document_id, change.version) for change in changes] == told(events_of("s08"))
        assert len({change.version for change in changes}) == 1
        assert all(isinstance(change, StoredDocument) and change.document is None for change in changes)

    def test_the_stream_asks_for_what_was_recorded_and_for_renames_onto_the_collection(self) -> None:
        database = TranscriptDatabase("s01")
        recorded = next(
            step["command"]["pipeline"] for step in transcript("s01") if "pipeline" in step.get("command", {})
        )

        with closing(MongoChangeFeed(cast("Database[Stored]", database), "documents", None)):
            [asked] = database.asked

        match, project = pipeline_of("documents")
        assert asked["full_document"] == recorded[0]["$changeStream"]["fullDocument"]
        assert asked["watch"] == [match, project]
        assert set(match["$match"]["operationType"]["$in"]) == set(recorded[1]["$match"]["operationType"]["$in"])
        assert project == recorded[2]
        assert {"to.coll": "documents"} in match["$match"]["$or"]
        assert all(branch in match["$match"]["$or"] for branch in recorded[1]["$match"]["$or"])


class TestPositions:
    def test_the_first_position_is_the_streams_own(self) -> None:
        opened = next(step["reply"]["cursor"] for step in transcript("s01") if "pipeline" in step.get("command", {}))

        with feed_of("s01") as feed:
            assert feed.position() == opened["postBatchResumeToken"]["_data"]

    def test_an_idle_stream_advances_the_position(self) -> None:
        tokens = [step["resume_token"]["_data"] for step in transcript("s03") if "resume_token" in step]
        assert tokens[0] != tokens[-1]

        with feed_of("s03") as feed:
            assert feed.read(10, 0) == []
            eventually(lambda: feed.position() == tokens[-1])

    def test_from_an_idle_position_the_next_document_is_seen(self) -> None:
        idle = [step["resume_token"]["_data"] for step in transcript("s03") if "resume_token" in step][-1]

        with feed_of("s03", idle) as feed:
            changes, _ = all_of(feed)

        assert [(change.document_id, change.version) for change in changes] == told(events_of("s03"))

    def test_a_position_after_an_invalidation_goes_on(self) -> None:
        invalidated = next(event for event in events_of("s02") if event["operationType"] == "invalidate")

        with feed_of("s02", invalidated["_id"]["_data"]) as feed:
            changes, _ = all_of(feed)

        assert [(change.document_id, change.version) for change in changes] == told(events_of("s02")[-1:])

    def test_the_position_is_that_of_the_last_change_handed_out(self) -> None:
        first, second, *_ = events_of("s01")

        with feed_of("s01") as feed:
            eventually(lambda: bool(feed._ahead))
            feed.read(1, 1)
            assert feed.position() == first["_id"]["_data"]
            feed.read(1, 1)
            assert feed.position() == second["_id"]["_data"]

    def test_a_position_at_another_collections_event_is_one_like_any_other(self) -> None:
        streams = [step["command"]["pipeline"][0]["$changeStream"] for step in transcript("s04") if is_opened(step)]
        elsewhere = streams[-1]["startAfter"]["_data"]

        with feed_of("s04", elsewhere) as feed:
            changes, lost = all_of(feed)

        assert lost is None
        assert [(change.document_id, change.version) for change in changes] == told(events_of("s04"))

    def test_a_position_of_a_stream_that_was_invalidated_is_lost_where_the_server_refuses_it(self) -> None:
        [refused] = errors_of("s02")

        assert refused["code"] in LOST

    @pytest.mark.parametrize("name", ["s04", "s05"])
    def test_a_position_that_is_damaged_or_gone_from_the_oplog_is_lost(self, name: str) -> None:
        refused = [
            step["command"]["pipeline"][0]["$changeStream"] for step in transcript(name) if is_refused(name, step)
        ]
        tokens = [stage["startAfter"]["_data"] for stage in refused if "startAfter" in stage]
        reasons = [error["details"]["errmsg"] for error in errors_of(name)]
        assert tokens

        for token, reason in zip(tokens, reasons, strict=False):
            with pytest.raises(PositionLost) as lost, feed_of(name, token):
                pass
            assert lost.value.why == reason

    def test_a_token_begins_with_the_time_of_its_event(self) -> None:
        events = [event for name in ("s01", "s02", "s08") for event in events_of(name)]

        assert [time_of(event["_id"]["_data"]) for event in events] == [_version(event) for event in events]


def is_refused(name: str, step: Step) -> bool:
    """Return whether a step is an aggregate that the server refused; s04 has the error as a step of its own."""
    if "pipeline" not in step.get("command", {}):
        return False
    return "failure" in step or (name == "s04" and "reply" not in step)


def is_opened(step: Step) -> bool:
    """Return whether a step is a change stream that the server opened."""
    return "pipeline" in step.get("command", {}) and "reply" in step


class TestSnapshots:
    def test_a_scan_has_the_rows_and_the_moment_of_each_reply_until_an_empty_one(self) -> None:
        recorded = [
            step["reply"]["cursor"] for step in transcript("s07") if step.get("command", {}).get("singleBatch")
            and "atClusterTime" in step["reply"]["cursor"]
        ]  # fmt: skip
        store = MongoDocumentStore(handle("s07"), SettableClock())

        after: str | None = None
        for cursor in recorded:
            snapshot = store.scan(after, 4)

            assert [row.document_id for row in snapshot.rows] == [row["_id"] for row in cursor["firstBatch"]]
            at = cursor["atClusterTime"]
            assert snapshot.version == Version(seconds=at.time, increment=at.inc)
            assert {row.version for row in snapshot.rows} <= {snapshot.version}
            after = max((row.document_id for row in snapshot.rows), default=None)
        assert after is None


class TestWrites:
    def test_a_document_that_the_validator_refuses_is_told_with_the_servers_reason(self) -> None:
        [refused, *_] = errors_of("s12")
        store = MongoDocumentStore(handle("s12"), SettableClock())

        with pytest.raises(ServerRefused, match=refused["details"].get("errmsg", "failed validation")):
            store.upsert(post("a", "hello"))

    def test_a_second_first_record_is_refused_as_the_server_refuses_it(self) -> None:
        [_, duplicate] = errors_of("s12")
        positions = Server().database().get_collection("positions")
        positions.insert_one({"_id": "documents"})

        with pytest.raises(DuplicateKeyError) as refused:
            positions.insert_one({"_id": "documents"})

        assert (refused.value.code, type(refused.value).__name__) == (duplicate["code"], duplicate["type"])

    def test_a_write_that_an_election_interrupts_is_tried_again(self) -> None:
        [interrupted] = errors_of("s14")
        error = WriteConcernError(interrupted["message"], interrupted["code"], interrupted["details"])

        with pytest.raises(StoreUnavailable), translated("write a document", StoreUnavailable):
            raise error


class TestServers:
    def test_a_member_of_a_replica_set_will_do(self) -> None:
        require_fit(handle("s01"))

    def test_a_standalone_is_refused_with_what_makes_it_a_set(self) -> None:
        database = TranscriptDatabase("s06")
        database.command = lambda command, *_, **__: (  # type: ignore[method-assign]
            {"versionArray": [5, 0, 7, 0]} if command == "buildInfo" else transcript("s06")[0]["hello"]
        )

        with pytest.raises(ServerUnfit, match=r"--replSet rs0.*rs\.initiate"):
            require_fit(cast("Database[Stored]", database))

    def test_a_standalones_refusal_of_a_stream_says_the_same(self) -> None:
        with pytest.raises(ServerUnfit, match=r"rs\.initiate"), feed_of("s06"):
            pass

    def test_a_standalones_refusal_of_a_snapshot_says_the_same(self) -> None:
        refused = errors_of("s06")[-1]["details"]
        assert "snapshot" in refused["errmsg"]

        with pytest.raises(ServerUnfit, match=r"rs\.initiate"), translated("read a snapshot", StoreUnavailable):
            raise OperationFailure(refused["errmsg"], refused["code"], refused)


class TestStandIn:
    """The MongoDB in memory, on which the contracts run, says what the real one said."""

    @pytest.mark.parametrize("name", ["s01", "s02", "s03", "s08"])
    def test_its_events_have_the_shape_of_those_that_were_recorded(self, name: str) -> None:
        kinds = {event["operationType"] for event in events_of(name)} - {"dropDatabase", "invalidate"}
        recorded = {event["operationType"]: event for event in events_of(name) if "txnNumber" not in event}
        database = Server().database()
        stream = database.watch(pipeline_of("documents"))

        made = {event["operationType"]: event for event in all_kinds(database, stream)}

        for kind in kinds & recorded.keys():
            assert made[kind].keys() == recorded[kind].keys() - {"to"}, kind
            assert made[kind]["ns"] == recorded[kind]["ns"]

    def test_its_snapshot_replies_have_the_fields_of_those_that_were_recorded(self) -> None:
        recorded = next(step["reply"]["cursor"] for step in transcript("s07") if "atClusterTime" in str(step))
        concern = {"level": "snapshot"}

        reply = Server().database().command("find", "documents", filter={}, limit=1, readConcern=concern)

        assert reply["cursor"].keys() == recorded.keys() - {"ns"}

    def test_its_refusals_have_the_codes_that_were_recorded(self) -> None:
        stages = [step["command"]["pipeline"][0] for step in transcript("s04") if is_refused("s04", step)]
        recorded = [error["code"] for error in errors_of("s04")][: len(stages)]

        assert [refusal(stage["$changeStream"]["startAfter"]) for stage in stages[:3]] == recorded[:3]


def all_kinds(database: MemoryDatabase, stream: Stream) -> Iterator[Step]:
    """Do one of everything that a collection can go through, and yield the events."""
    documents = database.get_collection("documents")
    for act in (
        lambda: documents.insert_one({"_id": "a"}),
        lambda: documents.update_one({"_id": "a"}, {"$set": {"text": "two"}}),
        lambda: documents.replace_one({"_id": "a"}, {"_id": "a"}),
        lambda: documents.delete_one({"_id": "a"}),
        lambda: database.rename_away("documents"),
        lambda: database.drop_collection("documents"),
    ):
        act()
        event = stream.try_next()
        assert event is not None
        yield event


def refusal(token: Step) -> int | None:
    with pytest.raises(OperationFailure) as refused:
        Server().database().watch(pipeline_of("documents"), start_after=dict(token))
    return refused.value.code
