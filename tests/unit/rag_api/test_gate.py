from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi import FastAPI

from fakes.api import KEY, Api
from twin_contracts.http import ComponentStatus
from twin_rag_api.gate import MAX_BODY_BYTES


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/docs", "/openapi.json"])
def test_what_says_that_somebody_is_there_needs_no_key(api: Api, path: str) -> None:
    assert api.client.get(path, headers={"Authorization": ""}).status_code == 200


def test_what_needs_no_key_names_no_error(api: Api) -> None:
    api.components = (ComponentStatus(name="cdc", state="degraded", detail="cannot read '/home/olga/data'"),)

    assert "olga" not in api.client.get("/readyz").text
    assert "olga" in api.client.get("/v1/status").text


def test_who_asks_at_once_gets_one_complete_openapi_document(api: Api) -> None:
    app = api.client.app
    assert isinstance(app, FastAPI)

    with ThreadPoolExecutor(4) as pool:
        made = [pool.submit(app.openapi) for _ in range(4)]
        documents = [one.result() for one in made]

    responses = documents[0]["paths"]["/v1/authors/{id}/style"]["get"]["responses"]
    assert all(document is documents[0] for document in documents)
    assert responses["409"]["description"] == "Too little prose by this author for a style card."


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", f"Basic {KEY}", f"Bearer {KEY}x", KEY])
def test_everything_else_refuses_another_key(api: Api, given: str) -> None:
    response = api.client.get("/v1/documents", headers={"Authorization": given})

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.headers["content-type"] == "application/problem+json"
    assert "Authorization: Bearer" in response.json()["detail"]


def test_a_path_that_does_not_exist_is_not_told_without_the_key(api: Api) -> None:
    assert api.client.get("/v1/nothing", headers={"Authorization": ""}).status_code == 401


def test_a_refused_key_has_openais_shape_under_its_paths(api: Api) -> None:
    response = api.client.get("/v1/models", headers={"Authorization": "Bearer wrong"})

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "invalid_api_key"
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_a_request_keeps_its_id_and_gets_one_where_it_has_none(api: Api) -> None:
    kept = api.client.get("/healthz", headers={"X-Request-Id": "mine-1"})
    new = api.client.get("/healthz")
    unusable = api.client.get("/v1/nothing", headers={"X-Request-Id": "a b\tc"})

    assert kept.headers["x-request-id"] == "mine-1"
    assert len(new.headers["x-request-id"]) == 32
    assert len(unusable.headers["x-request-id"]) == 32


def test_a_body_that_says_it_is_too_large_is_refused_unread(api: Api) -> None:
    response = api.client.put("/v1/documents/a", content=b"{}", headers={"Content-Length": str(MAX_BODY_BYTES + 1)})

    assert response.status_code == 413
    assert response.json()["detail"].startswith(
        "the request body has 9,437,185 bytes, more than the 9,437,184 that are read; a document has at most 8 MiB"
    )


def test_a_body_that_says_nothing_is_refused_where_it_becomes_too_large(api: Api) -> None:
    def endless() -> Iterator[bytes]:
        yield b'{"text": "'
        for _ in range(10):
            yield b"x" * 1024 * 1024

    response = api.client.put("/v1/documents/a", content=endless(), headers={"Content-Type": "application/json"})

    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"
    assert api.documents.count() == 0
