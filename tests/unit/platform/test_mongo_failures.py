"""What MongoDB's adapters do where the server or the driver does what no transcript could record."""

from contextlib import closing
from datetime import UTC, datetime

import bson
import pytest
from bson.datetime_ms import DatetimeMS
from bson.errors import InvalidBSON
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from fakes.clock import SettableClock
from fakes.flow import post
from fakes.mongo import MemoryDatabase, Server, Stream
from twin_contracts.events import Version
from twin_platform.documents.errors import PositionLost, StoreUnavailable
from twin_platform.documents.mongo import MongoDocumentStore
from twin_platform.documents.mongo_bodies import row_of, stored_of
from twin_platform.documents.mongo_prepare import prepare
from twin_platform.documents.port import InvalidDocument
from twin_platform.mongo import READS_ANYTHING, Stored, translated

SEEN_SECONDS = 5.0


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def store(server: Server) -> MongoDocumentStore:
    prepare(server.handle())
    return MongoDocumentStore(server.handle(), SettableClock())


def test_a_scan_is_never_of_a_moment_before_the_position_that_was_taken(
    server: Server, store: MongoDocumentStore
) -> None:
    """A new primary can be behind the one that gave the token: what it does not know yet would be in neither."""
    store.upsert(post("a", "Written before the position."))
    with closing(store.changes(None)):
        pass
    server.behind = 2

    assert [row.document_id for row in store.scan(None, 9).rows] == [post("a", "").id]


def test_an_error_that_is_not_the_drivers_reaches_whoever_reads_the_feed(
    store: MongoDocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def undecodable(_stream: Stream) -> None:
        message = "not valid BSON"
        raise InvalidBSON(message)

    monkeypatch.setattr(Stream, "try_next", undecodable)

    with closing(store.changes(None)) as feed, pytest.raises(InvalidBSON):
        feed.read(9, SEEN_SECONDS)


def test_a_stream_that_has_an_event_at_once_and_no_token_is_opened_again(
    store: MongoDocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver has the token of an empty first reply only; an empty position would be lost at once."""
    opened: list[Stream] = []
    watch = MemoryDatabase.watch

    def busy(database: MemoryDatabase, *pipeline: list[Stored], **options: object) -> Stream:
        opened.append(watch(database, *pipeline, **options))  # type: ignore[arg-type]  # passed on as they came
        if len(opened) == 1:
            opened[0].resume_token = None  # type: ignore[assignment]  # as the driver's can be
        return opened[-1]

    monkeypatch.setattr(MemoryDatabase, "watch", busy)

    with closing(store.changes(None)) as feed:
        assert feed.position()
    assert not opened[0].alive


def test_two_that_prepare_an_empty_database_at_once_both_go_on(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(*_: object, **__: object) -> None:
        message = "Collection twin.documents already exists."
        raise OperationFailure(message, 48, {"code": 48, "errmsg": message})

    monkeypatch.setattr(MemoryDatabase, "create_collection", taken)

    prepare(server.handle())


def test_what_no_clock_and_no_text_can_hold_is_told_as_no_document() -> None:
    client = MongoClient[Stored]("mongodb://nowhere", connect=False, **READS_ANYTHING)
    whole = stored_of(post("a", "fine"), datetime(2026, 1, 1, tzinfo=UTC))
    stored = bson.encode(whole | {"committed_at": DatetimeMS(2**60), "text": "ab"}).replace(b"ab\0", b"\xff\xfe\0")

    row = row_of(bson.decode(stored, codec_options=client.codec_options), Version(seconds=1, increment=1))
    client.close()

    assert isinstance(row, InvalidDocument)
    assert "committed_at" in row.reason


@pytest.mark.parametrize("code", [133, 202, 215, 11601])
def test_what_passes_by_itself_is_waited_out(code: int) -> None:
    """No member fits now, a member was slow, a database is being dropped, an operator killed what ran."""
    with pytest.raises(StoreUnavailable), translated("try", StoreUnavailable):
        raise OperationFailure("for now", code, {"code": code})


def test_a_position_that_is_lost_while_it_is_read_says_which(store: MongoDocumentStore, server: Server) -> None:
    with closing(store.changes(None)) as feed:
        server.database().drop_collection("documents")
        with pytest.raises(PositionLost, match="'drop'"):
            feed.read(9, SEEN_SECONDS)
