from dataclasses import replace

import pytest

from fakes.api import OWNER, Api
from fakes.flow import changed
from twin_contracts.documents import document_id_of_client
from twin_contracts.http import ComponentStatus, DocumentInput
from twin_contracts.queues import Lane, Queue
from twin_platform.records.reemissions import ask_reemission
from twin_rag_api.raw import raw_document


def index(api: Api, client_id: str, text: str, author: str | None = None) -> str:
    given = DocumentInput.model_validate({"title": client_id, "text": text, "author": author})
    document = raw_document(document_id_of_client(client_id), given, OWNER)
    api.index(document)
    return document.id


def test_search_finds_chunks_with_their_document(api: Api) -> None:
    cats = index(api, "cats", "Cats purr.\n\nDogs bark loudly.")

    hits = api.client.post("/v1/search", json={"query": "dogs bark", "limit": 1}).json()["hits"]

    assert [(hit["document_id"], hit["text"], hit["position"]) for hit in hits] == [(cats, "Dogs bark loudly.", 1)]
    assert hits[0]["metadata"]["title"] == "cats"
    assert hits[0]["similarity"] > 0.5


def test_search_is_narrowed_by_its_filters(api: Api) -> None:
    index(api, "a", "Dogs bark.")
    adas = index(api, "b", "Dogs bark.", author="Ada")

    hits = api.client.post("/v1/search", json={"query": "dogs", "filters": {"author": "ada"}}).json()["hits"]

    assert [hit["document_id"] for hit in hits] == [adas]


@pytest.mark.parametrize("body", [{"query": " "}, {"query": "a", "limit": 0}, {"query": "a", "filters": {"x": 1}}, {}])
def test_a_search_that_makes_no_sense_is_refused(api: Api, body: dict[str, object]) -> None:
    assert api.client.post("/v1/search", json=body).status_code == 422


def test_the_root_says_what_this_is_and_links_on(api: Api) -> None:
    welcome = api.client.get("/").json()

    assert welcome["name"] == "LLM Twin"
    assert welcome["docs"] == "/docs"


@pytest.mark.parametrize(("state", "code"), [("ready", 200), ("degraded", 200), ("starting", 503), ("stopped", 503)])
def test_readiness_follows_the_components(api: Api, state: str, code: int) -> None:
    api.components = (
        ComponentStatus(name="cdc", state="ready"),
        ComponentStatus.model_validate({"name": "feature-stream", "state": state}),
    )

    response = api.client.get("/readyz")

    assert (response.status_code, response.json()["ready"]) == (code, code == 200)
    assert response.json()["components"][1] == {"name": "feature-stream", "state": state, "detail": None}


def test_the_status_counts_both_sides(api: Api) -> None:
    index(api, "a", "One.\n\nTwo.")
    refused = raw_document(document_id_of_client("b"), DocumentInput(title="b", text="x"), OWNER)
    api.documents.upsert(refused)
    api.refuse(refused, "too short")
    ask_reemission(api.records, api.clock, "a test asks")

    status = api.client.get("/v1/status").json()

    assert status["counts"] == {"stored": 2, "indexed": 1, "rejected": 1, "parked": 0, "deleted": 0, "chunks": 2}
    assert (status["ready"], status["captured"], status["waiting"], status["reemissions"]) == (True, True, 0, 1)
    assert (status["embedding"], status["seconds_to_searchable"]) == ("hashing-384", 0.25)


def test_an_event_that_is_captured_while_the_status_is_told_is_seen_waiting(api: Api) -> None:
    document = raw_document(document_id_of_client("a"), DocumentInput(title="a", text="x"), OWNER)
    api.log.declare()

    def captured() -> bool:
        api.log.publish(Queue(0, Lane.LIVE), changed(document, 1)).result()
        return True

    status = api.client_of(replace(api.parts, captured=captured)).get("/v1/status").json()

    assert (status["captured"], status["waiting"]) == (True, 1)


def test_metrics_count_requests_by_route_and_answers_by_outcome(api: Api) -> None:
    index(api, "cats", "Cats purr at 25 hertz.")
    api.client.get("/v1/documents/nothing")
    api.client.get("/v1/documents", headers={"Authorization": ""})
    question = {"messages": [{"role": "user", "content": "At how many hertz do cats purr?"}]}
    answered = api.client.post("/v1/chat/completions", json=question).json()["twin"]["answered"]
    nobodys = question | {"twin": {"author": "nobody"}}
    api.client.post("/v1/chat/completions", json=nobodys)

    lines = api.client.get("/metrics", headers={"Authorization": ""}).text.splitlines()

    assert 'twin_api_requests_total{route="/v1/documents/{id}",status="404"} 1.0' in lines
    assert 'twin_api_requests_total{route="none",status="401"} 1.0' in lines
    assert 'twin_api_request_seconds_count{route="/v1/chat/completions"} 2.0' in lines
    assert ('twin_api_answers_total{outcome="answered"} 1.0' in lines) is answered
    assert f'twin_api_answers_total{{outcome="refused"}} {1.0 if answered else 2.0}' in lines
    assert "twin_api_model_failures_total 0.0" in lines
    assert 'twin_component_state{component="cdc"} 2.0' in lines
