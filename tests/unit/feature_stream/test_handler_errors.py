"""A handler that raises for one document parks that one; the machine's trouble parks nobody."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import pytest

from fakes.embedding import HashEmbedder
from fakes.features import InMemoryFeatureStore
from fakes.flow import Stream, article, changed, eventually, post, version
from twin_contracts.documents import DocumentType, Raw
from twin_contracts.events import Cause, Purge
from twin_contracts.queues import Lane
from twin_contracts.records import RecordStatus, Stage
from twin_feature_stream.bootstrap import build_registry
from twin_feature_stream.ports import CleanDocument, Rejected
from twin_feature_stream.registry import HandlerRegistry
from twin_platform.embedding.port import Vectors, never
from twin_platform.features.errors import PointRefused
from twin_platform.features.port import ApplyPurge, FeatureChange
from twin_platform.log.errors import LogUnavailable

BAD = post("bad", "This text has no vector.")
BOOK = article("book", "\n\n".join(f"Paragraph {n} tells of stone {n} and water {n * 7}." for n in range(400)))


class PanicException(BaseException):
    """Named as a Rust library names its own."""


class Tripping(HashEmbedder):
    """Raises an error of the given type wherever a text says so."""

    def __init__(self, at: str, error: BaseException, times: int = 1_000) -> None:
        super().__init__()
        self._at, self._error, self._times = at, error, times

    def embed_documents(self, texts: Sequence[str], stop: Callable[[], bool] = never) -> Vectors:
        if self._times and any(self._at in text for text in texts):
            self._times -= 1
            raise self._error
        return super().embed_documents(texts, stop)


def posts(count: int) -> list[Raw]:
    return [post(f"post-{number}", f"Text number {number}.") for number in range(count)]


def statuses(stream: Stream, documents: Sequence[Raw]) -> set[RecordStatus]:
    return {record.status for record in stream.features.records([document.id for document in documents]).values()}


@pytest.mark.parametrize("error", [ValueError("not a number"), PanicException("not a number")], ids=repr)
def test_an_embedder_that_fails_for_one_document_of_a_batch_parks_that_one(error: BaseException) -> None:
    stream, neighbours = Stream(embedder=Tripping("no vector", error)), posts(6)
    stream.publish([changed(one, 1) for one in [*neighbours[:3], BAD, *neighbours[3:]]], partition=0)

    stream.run()

    record = stream.features.records([BAD.id])[BAD.id]
    assert (record.status, record.stage) == (RecordStatus.PARKED, Stage.EMBED)
    assert record.reason == f"{type(error).__name__}: not a number"
    assert (record.text, record.chunks) == (None, 0)
    assert [stream.texts(one) for one in neighbours] == [[one.text] for one in neighbours]


def test_a_reason_holds_nothing_that_a_store_cannot() -> None:
    stream = Stream(embedder=Tripping("no vector", ValueError("half a character \ud83d and \x00")))
    stream.publish([changed(BAD, 1)])

    stream.run()

    assert stream.features.records([BAD.id])[BAD.id].reason == "ValueError: half a character ? and \ufffd"


def test_an_embedder_that_fails_in_the_middle_of_a_book_parks_the_book() -> None:
    stream = Stream(embedder=Tripping("stone 200 ", ValueError("not a number")))
    stream.publish([changed(BOOK, 1)])

    stream.run()

    record = stream.features.records([BOOK.id])[BOOK.id]
    assert (record.status, record.stage, record.reason) == (
        RecordStatus.PARKED,
        Stage.EMBED,
        "ValueError: not a number",
    )
    assert stream.texts(BOOK) == []


def test_what_the_embedder_failed_for_is_tried_again_when_it_is_replayed() -> None:
    stream = Stream(embedder=Tripping("no vector", ValueError("not a number"), times=2))
    stream.publish([changed(BAD, 1)])
    stream.run()
    after_failure = statuses(stream, [BAD])
    stream.publish([changed(BAD, 2, Cause.REPLAY)], Lane.REFILL)

    stream.run()

    assert after_failure == {RecordStatus.PARKED}
    assert stream.texts(BAD) == [BAD.text]


@pytest.mark.parametrize("error", [MemoryError(), OSError("no space left"), ImportError("gone")], ids=repr)
def test_the_machines_trouble_parks_nobody_and_acknowledges_nothing(error: Exception) -> None:
    stream = Stream(embedder=Tripping("no vector", error))
    stream.publish([changed(BAD, 1)])

    with pytest.raises(type(error)):
        stream.run()

    assert statuses(stream, [BAD]) == set()
    assert stream.log.waiting() == 1


def test_a_transient_error_is_waited_out() -> None:
    stream = Stream(embedder=Tripping("no vector", LogUnavailable("the test says so"), times=1))
    stream.publish([changed(BAD, 1)])

    stream.run()

    assert stream.texts(BAD) == [BAD.text]


def test_a_replay_that_was_parked_again_is_left_alone_by_the_next_refill() -> None:
    cleaned: list[str] = []

    @dataclass(frozen=True)
    class Failing:
        version: ClassVar[int] = 1

        def __call__(self, document: Raw) -> CleanDocument | Rejected:
            cleaned.append(document.text)
            raise ValueError

    stream = Stream()
    table = dict(build_registry(stream.embedder)._table)
    stream.registry = HandlerRegistry({**table, (DocumentType.POST, Stage.CLEAN): Failing()})
    stream.publish([changed(BAD, 1)])
    with stream.running():
        eventually(lambda: not stream.log.waiting())
        for number, cause in ((2, Cause.REPLAY), (3, Cause.REFILL)):
            stream.publish([changed(BAD, number, cause)], Lane.REFILL)
            eventually(lambda: not stream.log.waiting())

    assert len(cleaned) == 2
    assert statuses(stream, [BAD]) == {RecordStatus.PARKED}


class Refusing(InMemoryFeatureStore):
    """Refuses every call that would write a chunk with this text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def apply(self, changes: Sequence[FeatureChange]) -> None:
        chunks = [chunk for change in changes if not isinstance(change, ApplyPurge) for chunk in change.chunks]
        if any(self.text in chunk.payload.text for chunk in chunks):
            raise PointRefused("the test says so")
        super().apply(changes)


def test_a_document_that_the_feature_store_refuses_is_parked_and_its_neighbours_are_written() -> None:
    stream, neighbours = Stream(features=Refusing("no vector")), posts(6)
    purge = Purge(before=version(1))
    stream.publish([*(changed(one, 1) for one in [*neighbours[:3], BAD, *neighbours[3:]]), purge], partition=0)

    stream.run()

    record = stream.features.records([BAD.id])[BAD.id]
    assert (record.status, record.stage) == (RecordStatus.PARKED, Stage.SINK)
    assert record.reason == "the vector store refuses to write this: the test says so"
    assert [stream.texts(one) for one in neighbours] == [[one.text] for one in neighbours]


@pytest.mark.parametrize("place", ["stone 200 ", "stone 399 "], ids=["in the middle", "at the end"])
def test_a_book_of_which_the_feature_store_refuses_a_slice_is_parked_whole(place: str) -> None:
    stream = Stream(features=Refusing(place))
    stream.publish([changed(BOOK, 1)])

    stream.run()

    record = stream.features.records([BOOK.id])[BOOK.id]
    assert (record.status, record.stage) == (RecordStatus.PARKED, Stage.SINK)
    assert stream.texts(BOOK) == []
