"""What is particular to the event log in a SQLite file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from contract.conformance.log_contract import (
    DEADLINE_SECONDS,
    LIVE_0,
    REFILL_0,
    consuming,
    deletion,
    eventually,
    numbers,
    post,
    publish_all,
    take,
)
from twin_contracts.events import EventHeaders
from twin_contracts.queues import queues_of
from twin_platform.errors import UnknownScheme
from twin_platform.log.errors import LogUnavailable, PartitionsFixed
from twin_platform.log.open import open_event_log
from twin_platform.log.port import Delivery
from twin_platform.log.sqlite import SqliteEventLog
from twin_platform.sqlite import ForeignDatabase


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def log(path: Path) -> Iterator[SqliteEventLog]:
    with SqliteEventLog(path, partitions=2, refill_limit_bytes=32 * 1024) as log:
        log.declare()
        yield log


def allow_pages(log: SqliteEventLog, pages: int) -> None:
    """Let the writer meet a full disk where the file would grow above this many pages."""
    log._writer._connection.execute(f"PRAGMA max_page_count = {pages}")


def test_the_number_of_partitions_is_fixed_at_installation(path: Path, log: SqliteEventLog) -> None:
    with pytest.raises(PartitionsFixed, match="installed with 2 partitions and cannot be opened with 3"):
        SqliteEventLog(path, partitions=3)


def test_another_file_is_refused_and_left_alone(path: Path) -> None:
    path.write_text("a letter to a friend, longer than a header of SQLite, which is a hundred bytes at the very least")

    with pytest.raises(ForeignDatabase):
        SqliteEventLog(path)

    assert path.read_text().startswith("a letter")


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(LogUnavailable, match="does its folder exist"):
        SqliteEventLog(tmp_path / "nowhere" / "log.db")


def test_a_url_opens_its_file(path: Path) -> None:
    with open_event_log(f"sqlite://{path}", partitions=3) as log:
        assert (log.partitions, path.exists()) == (3, True)


def test_a_url_of_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(UnknownScheme, match="sqlite://"):
        open_event_log("carrier-pigeon://roof", partitions=3)


def test_a_confirmed_event_is_seen_at_once(log: SqliteEventLog) -> None:
    with consuming(log) as consumer:
        assert consumer.peek_cost(LIVE_0) is None

        publish_all(log, LIVE_0, deletion(1))

        assert consumer.peek_cost(LIVE_0) is not None


def test_a_queue_that_was_read_to_its_end_is_not_queried_again_before_a_commit(log: SqliteEventLog) -> None:
    publish_all(log, LIVE_0, deletion(1))
    with closing(log.consume([LIVE_0])) as consumer:
        take(consumer, LIVE_0, 1)
        statements: list[str] = []
        consumer._connection.set_trace_callback(statements.append)
        seen = consumer.peek_cost(LIVE_0)

    assert (seen, statements) == (None, ["PRAGMA data_version"])


def test_a_queue_longer_than_what_is_read_ahead_is_handed_out_to_its_end(log: SqliteEventLog) -> None:
    publish_all(log, LIVE_0, *(deletion(number) for number in range(600)))
    with closing(log.consume([LIVE_0])) as consumer:
        taken = take(consumer, LIVE_0, 600)

    assert numbers(taken) == list(range(600))


@pytest.mark.parametrize("headers", ["no JSON", "", '{"document_id": "not an id"}', b"\xff\xfe"])
@pytest.mark.parametrize("body", ["text", b"bytes"])
def test_what_another_program_put_there_is_handed_out_without_headers(
    path: Path, log: SqliteEventLog, headers: str | bytes, body: str | bytes
) -> None:
    with closing(sqlite3.connect(path)) as other, other:
        row = (LIVE_0.name, headers, body)
        other.execute("INSERT INTO events (queue, headers, body) VALUES (?, CAST(? AS TEXT), ?)", row)

    with consuming(log) as consumer:
        taken = take(consumer, LIVE_0, 1)[0]

    assert (taken.headers, taken.body.decode()) == (EventHeaders(), body if isinstance(body, str) else body.decode())


def test_a_second_consumer_takes_over_what_the_first_holds(log: SqliteEventLog) -> None:
    publish_all(log, LIVE_0, deletion(1), deletion(2))
    with closing(log.consume(queues_of(2))) as first:
        held = take(first, LIVE_0, 1)[0].position

        with closing(log.consume([LIVE_0])) as second:
            first.acknowledge(LIVE_0, held)

            assert (first.peek_cost(LIVE_0), first.take(LIVE_0, 1, 1000)) == (None, [])
            assert numbers(take(second, LIVE_0, 2)) == [1, 2]


def test_a_full_refill_queue_keeps_its_order(log: SqliteEventLog) -> None:
    late = [log.publish(REFILL_0, post(number, characters=10_000)) for number in range(20)]

    with consuming(log) as consumer:
        taken: list[Delivery] = []
        while len(taken) < 20:
            taken += take(consumer, REFILL_0, 1)
            consumer.acknowledge(REFILL_0, taken[-1].position)

    assert numbers(taken) == list(range(20))
    assert all(confirmation.exception(DEADLINE_SECONDS) is None for confirmation in late)


def test_a_refill_queue_is_still_full_after_a_restart(path: Path, log: SqliteEventLog) -> None:
    publish_all(log, REFILL_0, post(1, characters=40_000))
    log.close()

    with SqliteEventLog(path, partitions=2, refill_limit_bytes=32 * 1024) as again:
        late = again.publish(REFILL_0, post(2, characters=10))
        publish_all(again, LIVE_0, deletion(3))

        assert not late.done()


def test_a_full_disk_fails_the_confirmations_and_is_gone_with_its_cause(log: SqliteEventLog) -> None:
    allow_pages(log, 10)
    refused = log.publish(LIVE_0, post(1, characters=60_000)).exception(DEADLINE_SECONDS)

    allow_pages(log, 10_000)
    publish_all(log, LIVE_0, post(2, characters=60_000))

    assert isinstance(refused, LogUnavailable)
    assert "full; make room on its disk" in str(refused)
    with consuming(log) as consumer:
        assert numbers(take(consumer, LIVE_0, 1)) == [2]


def test_an_acknowledgement_that_could_not_be_written_is_tried_again(path: Path, log: SqliteEventLog) -> None:
    publish_all(log, LIVE_0, deletion(1))
    log._writer._connection.execute("PRAGMA query_only = ON")
    with consuming(log) as consumer:
        consumer.acknowledge(LIVE_0, take(consumer, LIVE_0, 1)[0].position)
    assert isinstance(log.publish(LIVE_0, deletion(2)).exception(DEADLINE_SECONDS), LogUnavailable)

    log._writer._connection.execute("PRAGMA query_only = OFF")

    assert eventually(lambda: log.waiting() == 0)


def test_an_acknowledgement_before_closing_is_kept(path: Path, log: SqliteEventLog) -> None:
    publish_all(log, LIVE_0, deletion(1))
    with consuming(log) as consumer:
        consumer.acknowledge(LIVE_0, take(consumer, LIVE_0, 1)[0].position)

    log.close()

    with SqliteEventLog(path, partitions=2) as again:
        assert again.waiting() == 0
