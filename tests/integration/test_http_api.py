"""The API keeps its own OpenAPI document: every response, errors too, has a declared status, media type and model."""

from collections.abc import Iterator
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.openapi import from_url
from schemathesis.schemas import APIOperation, BaseSchema

from fakes.api import KEY, OWNER, Api
from fakes.served import served
from twin_contracts.base import uuid_of
from twin_contracts.crawl import CrawlRequest
from twin_contracts.documents import AuthorRef, Raw, RawArticle, Source, document_id_of
from twin_platform.documents.port import Upserted
from twin_platform.records.audits import ask_audit
from twin_platform.records.crawls import ask_crawl
from twin_platform.records.keys import create_key
from twin_platform.records.reemissions import ask_reemission
from twin_platform.records.unreadable import UNREADABLE, UnreadableMessage
from twin_rag_api.bootstrap import build_api

EXAMPLES = 20
"""Requests per operation and mode."""

CONFIG = {
    "checks": {
        # a request may be valid field by field and make no sense as a whole: code without a path, a merge with oneself
        "positive_data_acceptance": {"expected-statuses": ["2xx", "400", "401", "403", "404", "409", "422"]}
    }
}
PROSE = " ".join(f"In year {year} I kept bees in the garden, and they hummed when it rained." for year in range(60))
Operation: TypeAlias = APIOperation[Any, Any, Any, Any]  # generic over the vendor's own types
Request: TypeAlias = Case[Any]
STORED = document_id_of("stored")
QUESTION = {"messages": [{"role": "user", "content": "Who hummed when it rained?"}]}


class SettlingApi(Api):
    """An API whose flow takes no time: what is stored is indexed, what is deleted is gone."""

    def __init__(self) -> None:
        super().__init__()
        for name, author in (("stored", OWNER), ("deleted", OWNER), ("forgotten", AuthorRef.of("Ada"))):
            source = Source(platform="test")
            self.index(RawArticle(id=document_id_of(name), author=author, source=source, title=name, text=PROSE))
        self.job = ask_crawl(self.records, self.clock, CrawlRequest(links=("https://example.org",)))
        self.reemission = ask_reemission(self.records, self.clock, "test", (STORED,))
        self.audit = ask_audit(self.records, self.clock, "test")
        create_key(self.records, "phone", self.clock.now())
        noise = UnreadableMessage(queue="live.0", body_base64="bm9pc2U=", received_at=self.clock.now())
        self.records.put(UNREADABLE, "noise", noise)
        self._upsert = self.documents.upsert
        self.documents.upsert = self._upsert_and_settle  # type: ignore[method-assign]

    def _upsert_and_settle(self, document: Raw) -> Upserted:
        upserted = self._upsert(document)
        if document.text.strip():
            self.features.apply([self.change(document)])
        else:
            self.refuse(document, "nothing is left of it")
        return upserted


@pytest.fixture
def api() -> SettlingApi:
    return SettlingApi()


@pytest.fixture
def schema(api: SettlingApi) -> Iterator[BaseSchema]:
    """The document as a running API serves it."""
    with served(build_api(api.parts, KEY)) as url:
        yield from_url(f"{url}/openapi.json", config=SchemathesisConfig.from_dict(CONFIG))


def operations(schema: BaseSchema) -> list[Operation]:
    return [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]


def call(case: Request) -> int:
    """Send the request with a valid key; the response is as the document says."""
    response = case.call(headers={"Authorization": f"Bearer {KEY}"}, timeout=20)
    assert response.headers["x-request-id"]
    case.validate_response(response)
    return int(response.status_code)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_whatever_is_asked_the_answer_is_as_declared(schema: BaseSchema, mode: GenerationMode) -> None:
    for operation in operations(schema):
        if mode is GenerationMode.NEGATIVE and operation.path in {"/", "/healthz", "/readyz", "/metrics"}:
            continue  # they take nothing that could be wrong

        @settings(
            max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, suppress_health_check=[*HealthCheck]
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Request) -> None:
            call(case)

        ask()


def test_every_operation_does_what_it_is_for(api: SettlingApi, schema: BaseSchema) -> None:
    successes: dict[str, dict[str, object]] = {
        "GET /": {},
        "GET /healthz": {},
        "GET /readyz": {},
        "GET /metrics": {},
        "GET /v1/status": {},
        "GET /v1/documents": {"query": {"author": OWNER.id, "limit": 1}},
        "PUT /v1/documents/{id}": {
            "path_parameters": {"id": "note"},
            "query": {"title": "On bees"},
            "body": "They hum.",
            "media_type": "text/markdown",
        },
        "GET /v1/documents/{id}": {"path_parameters": {"id": STORED}, "query": {"wait": "indexed"}},
        "DELETE /v1/documents/{id}": {"path_parameters": {"id": document_id_of("deleted")}},
        "GET /v1/authors": {},
        "GET /v1/owner": {},
        "PUT /v1/owner": {"body": {"name": OWNER.name}},
        "GET /v1/keys": {},
        "POST /v1/keys": {"body": {"name": "blog", "authors": [OWNER.name]}},
        "DELETE /v1/keys/{name}": {"path_parameters": {"name": "phone"}},
        "POST /v1/authors/merge": {"body": {"source": "O. Owner", "target": OWNER.name}},
        "GET /v1/authors/{id}/style": {"path_parameters": {"id": OWNER.id}},
        "DELETE /v1/authors/{id}": {"path_parameters": {"id": "ada"}},
        "POST /v1/crawls": {"body": {"links": ["https://example.org"]}},
        "GET /v1/crawls/{id}": {"path_parameters": {"id": api.job.id}},
        "GET /v1/sources": {},
        "GET /v1/parked": {"query": {"limit": 1}},
        "GET /v1/unreadable/{id}": {"path_parameters": {"id": uuid_of("unreadable", "noise")}},
        "POST /v1/reemissions": {"body": {"ids": [STORED]}},
        "GET /v1/reemissions/{id}": {"path_parameters": {"id": api.reemission.id}},
        "POST /v1/audits": {},
        "GET /v1/audits/{id}": {"path_parameters": {"id": api.audit.id}},
        "POST /v1/optimize": {},
        "POST /v1/search": {"body": {"query": "bees"}},
        "GET /v1/models": {},
        "GET /v1/models/{model}": {"path_parameters": {"model": f"twin:{OWNER.id}"}},
        "POST /v1/chat/completions": {"body": QUESTION},
        "POST /v1/drafts": {"body": {"topic": "bees"}},
    }
    found = {operation.label: operation for operation in operations(schema)}

    statuses = {
        label: call(found[label].Case(**{"media_type": "application/json", **request}))  # type: ignore[arg-type]
        for label, request in successes.items()
    }

    assert statuses.keys() == found.keys(), "each operation has a request here that it answers with 2xx"
    assert [label for label, status in statuses.items() if status >= 300] == []
