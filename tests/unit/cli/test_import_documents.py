"""An import stores everything, waits for it, and gives a reason for each document that did not arrive."""

import httpx
import pytest

from twin_cli.client import Client
from twin_cli.errors import Refused
from twin_cli.import_documents import Imported, import_documents
from twin_cli.inputs import Input
from twin_contracts.documents import document_id_of
from twin_contracts.http import (
    ComponentStatus,
    DocumentInput,
    DocumentState,
    DocumentStatus,
    Problem,
    RecordCounts,
    SystemStatus,
)

INDEXED = [DocumentState.PENDING, DocumentState.PENDING, DocumentState.INDEXED]


class System:
    """Answers a GET with the states that a test gives a document, one after the other; the last one stays."""

    def __init__(self) -> None:
        self.states: dict[str, list[DocumentState]] = {}
        self.refusals: dict[tuple[str, str], int] = {}
        self.stored: list[str] = []
        self.trouble: list[str] = []
        self.components: tuple[ComponentStatus, ...] = ()

    def run(self, inputs: list[Input]) -> tuple[Imported, list[str]]:
        client = Client(lambda: ("http://here:1", "key"), transport=httpx.MockTransport(self._answer))
        steps: list[str] = []
        result = import_documents(
            inputs,
            client,
            lambda item: steps.append(f"+{item.name}"),
            lambda item: steps.append(f"={item.name}"),
            self.trouble.append,
        )
        return result, steps

    def _status(self) -> SystemStatus:
        return SystemStatus(
            ready=True,
            components=self.components,
            counts=RecordCounts(stored=1, indexed=0, rejected=0, parked=0, deleted=0, chunks=0),
            waiting=1,
            captured=True,
            reemissions=0,
            embedding="minilm",
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/status":
            return httpx.Response(200, text=self._status().model_dump_json())
        document_id = request.url.path.rpartition("/")[2]
        status = self.refusals.get((request.method, document_id))
        if status is not None:
            return httpx.Response(
                status, text=Problem(title="T", status=status, detail=f"because {status}").model_dump_json()
            )
        states = self.states.setdefault(document_id, list(INDEXED))
        if request.method == "PUT":
            self.stored.append(document_id)
            state = DocumentState.PENDING
        else:
            state = states.pop(0) if len(states) > 1 else states[0]
        reason = "no text" if state is DocumentState.REJECTED else None
        return httpx.Response(
            200, text=DocumentStatus(document_id=document_id, status=state, reason=reason).model_dump_json()
        )


def given(name: str, key: str | None = None) -> Input:
    return Input(name, document_id_of(key or name), DocumentInput(text=f"Text of {name}."))


@pytest.fixture
def system() -> System:
    return System()


def test_every_document_is_waited_for_until_it_is_indexed(system: System) -> None:
    result, steps = system.run([given("a"), given("b")])

    assert result == Imported(stored=2, indexed=2)
    assert steps == ["+a", "+b", "=a", "=b"]


def test_a_document_that_cannot_be_read_is_refused_and_the_others_go_on(system: System) -> None:
    result, steps = system.run([Input("bad.txt", refused="not UTF-8"), given("good")])

    assert result == Imported(stored=1, indexed=1, refused=["bad.txt: not UTF-8"])
    assert steps == ["+bad.txt", "=bad.txt", "+good", "=good"]


def test_a_document_that_the_system_refuses_is_told_with_its_reason(system: System) -> None:
    system.refusals["PUT", document_id_of("large")] = 413

    result, steps = system.run([given("large"), given("good")])

    assert result == Imported(stored=1, indexed=1, refused=["large: because 413"])
    assert sorted(steps) == ["+good", "+large", "=good", "=large"]


def test_a_document_that_the_flow_rejects_is_told_with_its_reason(system: System) -> None:
    system.states[document_id_of("empty")] = [DocumentState.PENDING, DocumentState.REJECTED]

    result, _ = system.run([given("empty"), given("good")])

    assert result == Imported(stored=2, indexed=1, refused=["empty: rejected: no text"])


def test_a_document_that_somebody_deletes_meanwhile_does_not_end_the_import(system: System) -> None:
    system.refusals["GET", document_id_of("gone")] = 404

    result, _ = system.run([given("gone"), given("good")])

    assert result == Imported(stored=2, indexed=1, refused=["gone: deleted by somebody else meanwhile"])


def test_a_document_given_twice_counts_once_and_the_last_one_holds(system: System) -> None:
    result, steps = system.run([given("first", key="same"), given("last", key="same")])

    assert result == Imported(stored=1, indexed=1)
    assert len(system.stored) == 2
    assert steps == ["+first", "+last", "=first", "=last"]


def test_what_keeps_the_system_from_working_is_told_while_it_does(system: System) -> None:
    system.components = (
        ComponentStatus(name="cdc", state="ready"),
        ComponentStatus(name="feature-stream", state="degraded", detail="the disk is full"),
    )

    result, _ = system.run([given("a")])

    assert result == Imported(stored=1, indexed=1)
    assert set(system.trouble) == {"waiting for feature-stream, which is degraded: the disk is full"}


def test_a_key_that_is_refused_ends_the_import_at_once(system: System) -> None:
    system.refusals["PUT", document_id_of("a")] = 401

    with pytest.raises(Refused, match="because 401"):
        system.run([given("a"), given("b")])

    assert system.stored == []
