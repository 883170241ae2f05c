"""`--follow`: a line for each document that has arrived, with what had passed since its commit, or why it has not."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from fakes.clock import SettableClock
from twin_cli.asked import answered
from twin_cli.client import Client
from twin_cli.follow import HEADER, Follower
from twin_contracts.documents import document_id_of
from twin_contracts.http import DocumentState, DocumentStatus, SearchRequest, SearchResult
from twin_contracts.records import Stage

A, B = document_id_of("a"), document_id_of("b")
COMMITTED = datetime(2026, 3, 1, 8, 30, 1, 250000, tzinfo=UTC)
MOMENT = f"{COMMITTED.astimezone():%H:%M:%S}.250"
States = Mapping[str, list[DocumentStatus] | list[DocumentStatus | None]]


def state(document_id: str, status: DocumentState = DocumentState.PENDING, **fields: object) -> DocumentStatus:
    known = {"document_id": document_id, "status": status, "committed_at": COMMITTED, "title": f"On {document_id[0]}"}
    return DocumentStatus.model_validate(known | fields)


def indexed(document_id: str, **fields: object) -> DocumentStatus:
    return state(document_id, DocumentState.INDEXED, **{"captured": True, "chunks": 3} | fields)


class World:
    """A system that tells a document's states one after the other, the last one for ever; each wait takes its time."""

    def __init__(self, states: States) -> None:
        self.states = states
        self.clock = SettableClock(COMMITTED)
        self.told: list[str] = []
        self.searched: list[SearchRequest] = []
        self.client = Client(lambda: ("http://here:1", "key"), transport=httpx.MockTransport(self._answer))
        self.follower = Follower(self.client, self.told.append, self.clock, self._wait)

    def _wait(self, seconds: float) -> None:
        self.clock.turn(timedelta(seconds=seconds))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/search":
            self.searched.append(SearchRequest.model_validate_json(request.content))
            return httpx.Response(200, text=SearchResult(hits=()).model_dump_json())
        states = self.states[request.url.path.rpartition("/")[2]]
        now = states.pop(0) if len(states) > 1 else states[0]
        if now is None:
            return httpx.Response(404, json={"title": "T", "status": 404, "detail": "there is no document"})
        return httpx.Response(200, text=now.model_dump_json())

    def follow(self, *ids: str) -> list[str]:
        self.follower.look(ids)
        self.follower.until_arrived(self.told.append)
        return self.told


def test_a_document_is_told_with_its_commit_and_what_had_passed_when_it_was_seen() -> None:
    world = World({A: [state(A), state(A), state(A, captured=True), indexed(A)]})

    assert world.follow(A) == [HEADER, f"{MOMENT}           +50 ms         +100 ms    3 chunks  On {A[0]}"]
    assert [status.document_id for status in world.follower.indexed] == [A]


def test_columns_stand_below_their_headings() -> None:
    _, line = World({A: [indexed(A, chunks=1)]}).follow(A)

    assert line[: len(HEADER)].rstrip().endswith("+0 ms")
    assert HEADER[: line.index("+0 ms") + len("+0 ms")].endswith("captured within")


def test_whoever_arrives_first_is_told_first() -> None:
    world = World({A: [state(A)] * 3 + [indexed(A)], B: [indexed(B)]})

    _, *lines = world.follow(A, B)

    assert [line.rpartition(" ")[2] for line in lines] == [B[0], A[0]]


@pytest.mark.parametrize(
    ("arrival", "told"),
    [
        (
            state(A, DocumentState.REJECTED, captured=True, stage=Stage.CLEAN, reason="nothing is left of it"),
            "rejected by clean: nothing is left of it",
        ),
        (
            state(A, DocumentState.PARKED, captured=True, reason="it ended six processes"),
            "parked: it ended six processes",
        ),
        (None, "deleted by somebody else meanwhile"),
    ],
)
def test_what_does_not_become_searchable_is_told_with_the_reason(arrival: DocumentStatus | None, told: str) -> None:
    world = World({A: [state(A), arrival]})

    assert told in world.follow(A)[1]
    assert world.follower.indexed == []


def test_a_system_that_does_not_come_to_it_is_asked_what_is_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World({A: [state(A)] * 501 + [indexed(A)]})

    def degraded(_: Client, trouble: Callable[[str], None]) -> None:
        trouble("waiting for cdc")

    monkeypatch.setattr("twin_cli.follow.tell_degraded", degraded)

    assert world.follow(A)[0] == "waiting for cdc"
    assert world.told[-1].endswith(f"+25.0 s         +25.0 s    3 chunks  On {A[0]}")


def test_without_a_question_the_first_titles_best_passage_is_looked_for_in_that_document() -> None:
    world = World({A: [indexed(A, title=None)], B: [indexed(B)]})
    world.follow(A, B)

    found = answered(world.client, None, world.follower)

    (asked,) = world.searched
    assert (asked.query, asked.filters.document_id, found) == (f"On {B[0]}", B, False)


def test_where_nothing_was_new_there_is_nothing_to_ask(capsys: pytest.CaptureFixture[str]) -> None:
    world = World({})

    assert answered(world.client, None, world.follower)
    assert "nothing new" in capsys.readouterr().err
