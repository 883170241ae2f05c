"""The window: bounded, ordered inside a queue, and only its contiguous confirmed prefix counts."""

import pytest

from fakes.log import InMemoryEventLog
from fakes.relay import LateLog
from twin_cdc.window import Message, Window
from twin_contracts.documents import document_id_of
from twin_contracts.events import Cause, DocumentDeleted, Version
from twin_contracts.queues import Lane, Queue
from twin_platform.log.errors import LogUnavailable, QueueMissing
from twin_platform.log.port import Event

ONE, TWO = Queue(1, Lane.LIVE), Queue(2, Lane.LIVE)


@pytest.fixture
def log() -> LateLog:
    log = LateLog()
    log.declare()
    return log


def event(number: int) -> DocumentDeleted:
    return DocumentDeleted(
        document_id=document_id_of(str(number)), version=Version(seconds=number, increment=0), cause=Cause.LIVE
    )


def messages(queue: Queue, *numbers: int) -> list[Message]:
    return [(queue, event(number)) for number in numbers]


def sent(log: LateLog, queue: Queue) -> list[Event]:
    return [event for to, event, _ in log.late if to == queue]


def test_a_mark_is_confirmed_with_everything_before_it(log: LateLog) -> None:
    window = Window(log, 100)
    window.publish(messages(ONE, 1, 2), "first")
    window.publish(messages(TWO, 3), "second")

    log.confirm(wanted=lambda queue: queue == TWO)
    late = window.confirmed()
    log.confirm()

    assert (late, window.confirmed(), window.empty) == (None, "second", True)


def test_a_batch_counts_only_when_all_of_it_arrived(log: LateLog) -> None:
    window = Window(log, 100)
    window.publish(messages(ONE, 1, 2, 3), "all")

    log.confirm(2)

    assert window.confirmed() is None
    assert not window.empty


def test_a_mark_is_told_once(log: LateLog) -> None:
    window = Window(log, 100)
    window.publish(messages(ONE, 1), "mark")
    log.confirm()

    assert [window.confirmed(), window.confirmed()] == ["mark", None]


def test_a_batch_without_a_mark_does_not_hide_the_one_before_it(log: LateLog) -> None:
    window = Window(log, 100)
    window.publish(messages(ONE, 1), "mark")
    window.publish(messages(ONE, 2), None)

    log.confirm()

    assert window.confirmed() == "mark"


def test_an_empty_batch_after_an_unconfirmed_one_waits_with_it_and_costs_nothing(log: LateLog) -> None:
    window = Window(log, 100)
    window.publish(messages(ONE, 1), "first")
    for number in range(1000):
        window.publish([], f"quiet {number}")

    before, batches = window.confirmed(), len(window._batches)
    log.confirm()

    assert (before, batches, window.confirmed()) == (None, 1, "quiet 999")


def test_an_empty_batch_alone_is_confirmed_at_once(log: LateLog) -> None:
    window = Window(log, 100)

    window.publish([], "quiet")

    assert window.confirmed() == "quiet"


def test_one_queue_has_at_most_a_quarter_of_the_window_on_its_way_and_the_others_go_on(log: LateLog) -> None:
    window = Window(log, 20)
    window.publish(messages(ONE, *range(10)), "first")
    window.publish(messages(TWO, *range(10, 14)), "second")

    assert [len(sent(log, queue)) for queue in (ONE, TWO)] == [5, 4]
    assert window.room == 6


def test_what_waits_for_its_share_follows_in_order(log: LateLog) -> None:
    window = Window(log, 8)
    window.publish(messages(ONE, *range(7)), "mark")
    order = sent(log, ONE)

    while not window.empty:
        log.confirm(1)
        window.confirmed()
        order += [event for event in sent(log, ONE) if event not in order]

    assert order == [event(number) for number in range(7)]


def test_room_returns_with_confirmations_in_any_order(log: LateLog) -> None:
    window = Window(log, 8)
    window.publish(messages(ONE, 1, 2), "first")
    window.publish(messages(TWO, 3, 4), "second")

    log.confirm(wanted=lambda queue: queue == TWO)
    window.confirmed()

    assert window.room == 6


def test_a_failed_confirmation_raises_and_nothing_more_is_sent(log: LateLog) -> None:
    window = Window(log, 8)
    window.publish(messages(ONE, 1, 2, 3), "mark")

    log.confirm(1)
    log.refuse()

    with pytest.raises(LogUnavailable):
        window.confirmed()
    assert log.late == []


def test_what_was_confirmed_before_a_failure_still_counts(log: LateLog) -> None:
    window = Window(log, 100)
    window.publish(messages(ONE, 1), "first")
    window.publish(messages(ONE, 2), "second")
    log.confirm(1)
    log.refuse()

    assert window.confirmed() == "first"
    with pytest.raises(LogUnavailable):
        window.confirmed()


def test_a_queue_that_is_gone_fails_its_confirmation(log: LateLog) -> None:
    window = Window(log, 100)
    window.publish(messages(ONE, 1), "mark")
    log.lose(ONE)
    log.confirm()

    with pytest.raises(QueueMissing):
        window.confirmed()


def test_draining_sends_what_waits_for_its_share() -> None:
    prompt = InMemoryEventLog()
    prompt.declare()
    window = Window(prompt, 8)
    window.publish(messages(ONE, *range(8)), "mark")

    assert window.drained(10.0) == "mark"


def test_draining_ends_at_its_deadline(log: LateLog) -> None:
    window = Window(log, 8)
    window.publish(messages(ONE, 1), "mark")

    assert window.drained(0.01) is None
