"""A document that kills the process is found and parked alone; nobody is parked for a neighbour's or a kill's sake."""

import random
from collections.abc import Callable, Sequence
from threading import Event

import pytest

from fakes.embedding import HashEmbedder
from fakes.features import InMemoryFeatureStore
from fakes.flow import DEADLINE, Stream, article, changed, eventually, post, version
from fakes.mortal import Life, deadly_registry
from fakes.records import InMemoryRecordStore
from twin_contracts.base import uuid_of
from twin_contracts.documents import Raw, content_hash
from twin_contracts.events import Cause, EventHeaders
from twin_contracts.queues import Lane, Queue
from twin_contracts.records import RecordStatus
from twin_feature_stream.bootstrap import build_registry
from twin_feature_stream.errors import HandTaken
from twin_feature_stream.in_hand import IN_HAND, MOST_SUSPECTS, PARKED_AT, HandKeeper, InHand
from twin_feature_stream.registry import HandlerRegistry
from twin_platform.embedding.port import Vectors, never
from twin_platform.features.port import ApplyDocument, FeatureChange
from twin_platform.log.codec import encode
from twin_platform.log.port import Delivery, Position
from twin_platform.records.unreadable import UNREADABLE

KILLER = post("killer", "Read this and be killed.")
BOOK = article("book", "\n\n".join(f"Paragraph {n} tells of stone {n} and water {n * 7}." for n in range(2600)))


def posts(count: int) -> list[Raw]:
    return [post(f"post-{number}", f"Text number {number}.") for number in range(count)]


def in_hand(stream: Stream) -> InHand:
    stored = stream.records.get(IN_HAND, "0")
    assert stored is not None
    return stored.record


def deadly(stream: Stream, life: Life | None) -> HandlerRegistry:
    return deadly_registry(build_registry(stream.embedder), life)


def die_over(stream: Stream, times: int) -> int:
    """Run up to so many processes that the killer kills; return how many it killed."""
    killed = 0
    for _ in range(times):
        life = Life()
        stream.run_to_death(life, deadly(stream, life))
        killed += stream.log.waiting() > 0
    return killed


def statuses(stream: Stream, documents: Sequence[Raw]) -> set[RecordStatus]:
    return {record.status for record in stream.features.records([document.id for document in documents]).values()}


def with_killer_in_the_middle(count: int) -> tuple[Stream, list[Raw]]:
    stream, neighbours = Stream(), posts(count - 1)
    documents = [*neighbours[: count // 2], KILLER, *neighbours[count // 2 :]]
    stream.publish([changed(document, number) for number, document in enumerate(documents, 1)], partition=3)
    return stream, neighbours


def test_a_death_is_counted_for_exactly_what_was_in_hand() -> None:
    stream, neighbours = Stream(), posts(15)  # one epoch
    done = post("done", "Committed before anything went wrong.")
    stream.publish([changed(done, 1)])
    stream.run()
    events = [changed(document, 2) for document in [*neighbours, KILLER]]
    stream.publish(events, partition=3)
    die_over(stream, 1)

    die_over(stream, 1)

    assert in_hand(stream).suspects == dict.fromkeys((event.event_id for event in events), 1)


def test_after_two_deaths_each_is_handled_alone() -> None:
    stream, neighbours = with_killer_in_the_middle(20)  # one epoch

    die_over(stream, 3)

    killer = changed(KILLER, 11).event_id
    assert in_hand(stream).handling == (killer,)
    assert in_hand(stream).suspects == dict.fromkeys(
        [killer, *(changed(document, number).event_id for number, document in enumerate(neighbours[10:], 12))], 2
    )
    assert [stream.texts(document) for document in neighbours[:10]] == [[one.text] for one in neighbours[:10]]


def test_a_killer_is_parked_alone_after_six_deaths() -> None:
    stream, neighbours = with_killer_in_the_middle(50)

    killed = die_over(stream, 10)

    record = stream.features.records([KILLER.id])[KILLER.id]
    assert killed == PARKED_AT
    assert record.status is RecordStatus.PARKED
    assert record.content_hash == content_hash(KILLER)
    assert (
        f"the process died 6 times while it handled this document, at last alone; `twin parked replay {KILLER.id}`"
        in (record.reason or "")
    )
    assert statuses(stream, neighbours) == {RecordStatus.INDEXED}
    assert len(stream.features.records([one.id for one in neighbours])) == len(neighbours)
    assert in_hand(stream).suspects == {}


def test_several_killers_are_each_parked_after_their_own_six_deaths_at_most() -> None:
    stream, neighbours = Stream(), posts(10)
    killers = [post(f"killer-{number}", f"kill {number}") for number in range(3)]
    documents = [killers[0], *neighbours[:5], killers[1], killers[2], *neighbours[5:]]
    stream.publish([changed(document, number) for number, document in enumerate(documents, 1)])

    killed = die_over(stream, 30)

    assert killed <= PARKED_AT * len(killers)
    assert statuses(stream, killers) == {RecordStatus.PARKED}
    assert statuses(stream, neighbours) == {RecordStatus.INDEXED}


def test_other_queues_get_what_they_waited_for_before_the_killer_kills_again() -> None:
    stream = Stream(suspects_wait_seconds=0.2)
    stream.publish([changed(KILLER, 1)], partition=3)
    die_over(stream, 2)
    neighbours = [post(f"post-{number}", f"Text number {number}. " * 200) for number in range(20)]  # several epochs
    stream.publish([changed(neighbour, 2) for neighbour in neighbours], partition=4)

    killed = die_over(stream, 1)

    assert killed == 1
    assert statuses(stream, neighbours) == {RecordStatus.INDEXED}
    assert len(stream.features.records([one.id for one in neighbours])) == len(neighbours)


def test_who_was_in_hand_beside_the_killer_is_cleared_before_it_kills_to_the_end() -> None:
    stream, neighbour = Stream(), post("neighbour", "In another queue.")
    stream.publish([changed(KILLER, 1)], partition=3)
    stream.publish([changed(neighbour, 2)], partition=4)

    killed = die_over(stream, 4)

    assert killed == 4
    assert statuses(stream, [neighbour]) == {RecordStatus.INDEXED}


@pytest.mark.parametrize("suspects_wait_seconds", [0.0, 0.05])
def test_a_killer_that_comes_on_both_lanes_is_parked_after_six_deaths(suspects_wait_seconds: float) -> None:
    stream = Stream(suspects_wait_seconds=suspects_wait_seconds)
    stream.publish([changed(KILLER, 1)])
    stream.publish([changed(KILLER, 2, Cause.REFILL)], Lane.REFILL)

    killed = die_over(stream, 20)

    assert killed == PARKED_AT
    assert statuses(stream, [KILLER]) == {RecordStatus.PARKED}


def parked_killer() -> Stream:
    stream = Stream()
    stream.publish([changed(KILLER, 1)])
    die_over(stream, 7)
    assert stream.log.waiting() == 0
    return stream


def test_what_was_parked_unprocessed_is_left_alone_by_a_refill_and_not_even_decoded() -> None:
    stream = parked_killer()
    headers, _ = encode(changed(KILLER, 2, Cause.REFILL))
    stream.log.put_raw(Queue(3, Lane.REFILL), headers, b"\xff nothing that can be decoded")
    stream.registry = deadly(stream, None)

    stream.run()

    record = stream.features.records([KILLER.id])[KILLER.id]
    assert (record.status, record.version) == (RecordStatus.PARKED, version(2))
    assert "died 6 times" in (record.reason or "")


def test_a_claim_whose_hash_is_only_known_from_the_store_is_left_alone_too() -> None:
    stream = parked_killer()
    stream.documents.upsert(KILLER)
    claim = changed(KILLER, 2, Cause.REFILL).model_copy(update={"after": None, "content_hash": None})
    stream.publish([claim], Lane.REFILL)

    assert die_over(stream, 1) == 0

    assert statuses(stream, [KILLER]) == {RecordStatus.PARKED}


@pytest.mark.parametrize("mend", ["replay", "new pipeline", "new content"])
def test_what_was_parked_unprocessed_is_tried_again_by(mend: str) -> None:
    stream = parked_killer()
    mended = KILLER.model_copy(update={"text": "Harmless by now."}) if mend == "new content" else KILLER
    stream.publish([changed(mended, 2, Cause.REPLAY if mend == "replay" else Cause.REFILL)], Lane.REFILL)
    stream.registry = build_registry(stream.embedder) if mend == "new pipeline" else deadly(stream, None)

    stream.run()

    assert stream.texts(KILLER) == [mended.text]


def test_a_replay_that_kills_is_parked_again_after_six_deaths() -> None:
    stream = parked_killer()
    stream.publish([changed(KILLER, 2, Cause.REPLAY)], Lane.REFILL)

    killed = die_over(stream, 10)

    assert killed == PARKED_AT
    assert statuses(stream, [KILLER]) == {RecordStatus.PARKED}


def test_a_killing_message_that_names_no_document_is_kept_as_bytes() -> None:
    stream = Stream()
    _, body = encode(changed(KILLER, 1))
    stream.log.put_raw(Queue(0, Lane.LIVE), EventHeaders(), body)

    killed = die_over(stream, 10)

    assert killed == PARKED_AT
    assert len(stream.records.find(UNREADABLE)) == 1
    assert stream.log.waiting() == 0


def test_a_stand_by_does_not_take_the_record_over() -> None:
    stream = Stream()
    others = InHand(owner="another process", handling=(changed(KILLER, 1).event_id,))
    stream.records.put(IN_HAND, "0", others)

    with stream.running() as service:
        eventually(lambda: service.status.state == "running")

    assert in_hand(stream) == others


def test_a_stop_and_an_error_leave_nothing_in_hand() -> None:
    class Tripping(HashEmbedder):
        calls = 0

        def embed_documents(self, texts: Sequence[str], stop: Callable[[], bool] = never) -> Vectors:
            self.calls += 1
            if self.calls == 1:
                raise MemoryError
            return super().embed_documents(texts, stop)

    stream = Stream(embedder=Tripping())
    stream.publish([changed(one, 1) for one in posts(3)])

    with pytest.raises(MemoryError):
        stream.run()
    after_error = in_hand(stream)
    stream.run()

    assert after_error.handling == in_hand(stream).handling == ()
    assert in_hand(stream).suspects == {}


def test_a_stopped_process_whose_work_was_taken_over_commits_no_more() -> None:
    stopped, continued = Event(), Event()
    applied: list[Sequence[FeatureChange]] = []

    class Stopped(HashEmbedder):
        def embed_documents(self, texts: Sequence[str], stop: Callable[[], bool] = never) -> Vectors:
            stopped.set()
            continued.wait(DEADLINE)
            return super().embed_documents(texts, stop)

    class Watched(InMemoryFeatureStore):
        def apply(self, changes: Sequence[FeatureChange]) -> None:
            applied.append(changes)
            super().apply(changes)

    stream = Stream(features=Watched(), embedder=Stopped())
    stream.publish([changed(one, 1) for one in posts(3)])
    with stream.running() as service:
        stopped.wait(DEADLINE)
        successor = Life()
        stream.run_to_death(successor, build_registry(HashEmbedder()))
        by_successor = len(applied)
        continued.set()
        eventually(lambda: service.status.state == "degraded")

    assert len(applied) == by_successor > 0
    assert "took over" in (service.status.detail or "") or service.status.state == "stopped"
    assert statuses(stream, posts(3)) == {RecordStatus.INDEXED}


@pytest.mark.parametrize("seed", range(5))
def test_random_kills_park_nobody(seed: int) -> None:
    stream, documents = Stream(), posts(60)
    chance = random.Random(seed)  # noqa: S311 - a seed makes the test repeatable
    stream.publish([changed(one, number) for number, one in enumerate(documents, 1)])

    for _ in range(20):
        stream.run_to_death(Life(calls=chance.randrange(10, 100)))
    stream.run()

    assert statuses(stream, documents) == {RecordStatus.INDEXED}
    assert [stream.texts(one) for one in documents] == [[one.text] for one in documents]


class _Interrupted(HashEmbedder):
    """Dies before a call, or at a text."""

    def __init__(self, life: Life, dies: Callable[[int, Sequence[str]], bool]) -> None:
        super().__init__()
        self._life, self._dies, self._calls = life, dies, 0

    def embed_documents(self, texts: Sequence[str], stop: Callable[[], bool] = never) -> Vectors:
        self._calls += 1
        if self._dies(self._calls, texts):
            self._life.end()
        return super().embed_documents(texts, stop)


def run_to_death_embedding(stream: Stream, dies: Callable[[int, Sequence[str]], bool]) -> None:
    life = Life()
    stream.run_to_death(life, build_registry(_Interrupted(life, dies)))


def test_a_book_whose_slices_get_on_is_not_parked_by_kills() -> None:
    stream = Stream()
    stream.publish([changed(BOOK, 1)])

    deaths = 0
    while stream.log.waiting() and deaths < 40:
        run_to_death_embedding(stream, lambda call, _: call == 2)
        deaths += stream.log.waiting() > 0

    assert deaths > PARKED_AT
    assert statuses(stream, [BOOK]) == {RecordStatus.INDEXED}
    assert "".join(stream.texts(BOOK)).split() == BOOK.text.split()


def test_a_book_that_kills_in_the_middle_is_parked_once_it_gets_no_further() -> None:
    stream = Stream()
    stream.publish([changed(BOOK, 1)])

    deaths = 0
    while stream.log.waiting() and deaths < 40:
        run_to_death_embedding(stream, lambda _, texts: any("stone 1200 " in text for text in texts))
        deaths += stream.log.waiting() > 0

    assert PARKED_AT <= deaths <= PARKED_AT + 3  # after a death slices are smaller, and get a little further
    assert statuses(stream, [BOOK]) == {RecordStatus.PARKED}


def test_suspects_keep_their_place_in_the_queue() -> None:
    applied: list[list[str]] = []

    class Watched(InMemoryFeatureStore):
        def apply(self, changes: Sequence[FeatureChange]) -> None:
            applied.append([change.record.document_id for change in changes if isinstance(change, ApplyDocument)])
            super().apply(changes)

    stream = Stream(features=Watched())
    documents = posts(10)
    stream.publish([changed(one, number) for number, one in enumerate(documents, 1)], partition=0)
    suspects = {changed(documents[place], place + 1).event_id: 2 for place in (3, 4, 7)}
    stream.records.put(IN_HAND, "0", InHand(owner="a dead process", suspects=suspects))

    stream.run()

    ids = [one.id for one in documents]
    assert applied == [ids[:3], ids[3:4], ids[4:5], ids[5:7], ids[7:8], ids[8:]]


def delivery_of(document: Raw) -> Delivery:
    headers, body = encode(changed(document, 1))
    return Delivery(Queue(0, Lane.LIVE), Position(1, 1), headers, body)


@pytest.mark.parametrize(("owner", "deaths"), [("this process", 0), ("another process", 1)])
def test_what_a_process_left_in_hand_itself_is_no_death(owner: str, deaths: int) -> None:
    records = InMemoryRecordStore()
    left = InHand(owner=owner, handling=(changed(KILLER, 1).event_id,))
    records.put(IN_HAND, "0", left)

    keeper = HandKeeper(records, 0, "this process")

    assert keeper.deaths(delivery_of(KILLER)) == deaths


def test_what_a_queues_former_reader_counted_against_an_event_follows_it() -> None:
    records, killer = InMemoryRecordStore(), changed(KILLER, 1).event_id
    records.put(IN_HAND, "3", InHand(owner="one of four flows", handling=(killer,), suspects={killer: 2}))
    keeper = HandKeeper(records, 0, "the only flow")

    deaths = keeper.deaths(delivery_of(KILLER))
    keeper.handle([delivery_of(KILLER)])

    stored = records.get(IN_HAND, "0")
    assert stored is not None
    assert deaths == 3
    assert stored.record.suspects == {killer: 3}


def test_what_other_flows_have_in_hand_is_not_counted_here() -> None:
    records = InMemoryRecordStore()
    theirs = [changed(document, 1).event_id for document in posts(3)]
    records.put(IN_HAND, "1", InHand(owner="another flow", handling=tuple(theirs[1:]), suspects={theirs[0]: 1}))
    keeper = HandKeeper(records, 0, "this flow")
    keeper.deaths(delivery_of(KILLER))

    keeper.handle([delivery_of(KILLER)])

    stored = records.get(IN_HAND, "0")
    assert stored is not None
    assert stored.record.suspects == {}


def test_nothing_is_in_hand_that_the_log_no_longer_holds() -> None:
    stream, documents = Stream(), posts(3)
    release = stream.log._acknowledge
    held: list[tuple[str, ...]] = []

    def acknowledged(queue: Queue, position: Position) -> None:
        held.append(in_hand(stream).handling)
        release(queue, position)

    stream.log._acknowledge = acknowledged  # type: ignore[method-assign]  # what is stored when it is called
    stream.publish([changed(one, number) for number, one in enumerate(documents, 1)], partition=0)

    stream.run()

    assert held == [()]


def test_suspects_that_never_come_again_do_not_pile_up() -> None:
    records = InMemoryRecordStore()
    old = dict.fromkeys((uuid_of("lost", str(number)) for number in range(MOST_SUSPECTS)), 1)
    records.put(IN_HAND, "0", InHand(owner="a", handling=(changed(KILLER, 1).event_id,), suspects=old))
    keeper = HandKeeper(records, 0, "b")
    keeper.deaths(delivery_of(KILLER))

    keeper.handle(())

    stored = records.get(IN_HAND, "0")
    assert stored is not None
    assert len(stored.record.suspects) == MOST_SUSPECTS
    assert changed(KILLER, 1).event_id in stored.record.suspects


def test_what_is_in_hand_is_put_once_as_long_as_it_stays_the_same() -> None:
    records = InMemoryRecordStore()
    keeper = HandKeeper(records, 0, "a")
    keeper.deaths(delivery_of(KILLER))
    keeper.handle([delivery_of(KILLER)])
    before = records.get(IN_HAND, "0")

    keeper.handle([delivery_of(KILLER)])

    assert records.get(IN_HAND, "0") == before


def test_a_record_that_somebody_else_put_is_not_overwritten() -> None:
    records = InMemoryRecordStore()
    keeper = HandKeeper(records, 0, "a")
    keeper.deaths(delivery_of(KILLER))
    keeper.handle([delivery_of(KILLER)])
    others = InHand(owner="b")
    records.put(IN_HAND, "0", others)

    with pytest.raises(HandTaken, match="another process took over what flow 0 had in hand"):
        keeper.handle(())

    stored = records.get(IN_HAND, "0")
    assert stored is not None
    assert stored.record == others
