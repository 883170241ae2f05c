"""The REST API as the commands speak it; survives a restart of the system in between."""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from twin_cli.errors import Refused, SystemUnreachable
from twin_contracts.base import DocumentId
from twin_contracts.chat import ChatCompletion, ChatMessage, ChatRequest, OpenAIError, TwinOptions
from twin_contracts.http import (
    DocumentInput,
    DocumentStatus,
    Problem,
    SearchFilters,
    SearchRequest,
    SearchResult,
    SystemStatus,
)

M = TypeVar("M", bound=BaseModel)

PATIENCE_SECONDS = 60.0
"""How long a command waits for a system that stopped answering before it gives up."""
RETRY_SECONDS = 0.3
ANSWER_SECONDS = 180.0


class Client:
    """One running system. Every call is idempotent, so a lost connection is tried again for a minute.

    Args:
        locate: returns the system's URL and key; asked again after a lost connection, since a restarted system may
            listen elsewhere.
    """

    def __init__(self, locate: Callable[[], tuple[str, str]]) -> None:
        self._locate = locate
        self._http = httpx.Client(timeout=httpx.Timeout(ANSWER_SECONDS, connect=5.0), trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def put(self, document_id: DocumentId, document: DocumentInput) -> DocumentStatus:
        """Store a document; returns after the store's commit."""
        body = document.model_dump_json(exclude_none=True)
        return self._call("PUT", f"/v1/documents/{document_id}", DocumentStatus, body)

    def document(self, document_id: DocumentId, wait: float = 0.0) -> DocumentStatus:
        """Return where a document is, after up to `wait` seconds for it to be indexed."""
        query = f"?wait=indexed&timeout={wait:g}" if wait else ""
        return self._call("GET", f"/v1/documents/{document_id}{query}", DocumentStatus)

    def search(self, query: str, limit: int, filters: SearchFilters) -> SearchResult:
        """Return the best passages."""
        request = SearchRequest(query=query, limit=limit, filters=filters)
        return self._call("POST", "/v1/search", SearchResult, request.model_dump_json())

    def ask(self, question: str, filters: SearchFilters) -> ChatCompletion:
        """Return a cited answer or a refusal."""
        message = ChatMessage(role="user", content=question)
        request = ChatRequest(model="twin", messages=(message,), twin=TwinOptions(filters=filters))
        return self._call("POST", "/v1/chat/completions", ChatCompletion, request.model_dump_json())

    def status(self) -> SystemStatus:
        """Return the system's counts and lag."""
        return self._call("GET", "/v1/status", SystemStatus)

    def _call(self, method: str, path: str, answer: type[M], body: str | None = None) -> M:
        response = self._patiently(method, path, body)
        if response.is_success:
            return answer.model_validate_json(response.content)
        raise Refused(f"{method} {path.partition('?')[0]}", response.status_code, _detail(response))

    def _patiently(self, method: str, path: str, body: str | None) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            url, key = self._locate()
            try:
                headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
                response = self._http.request(method, url + path, content=body, headers=headers)
            except httpx.TransportError as error:
                if time.monotonic() > deadline:
                    raise SystemUnreachable(url, str(error) or type(error).__name__) from error
            else:
                if response.status_code != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
                    return response
            time.sleep(RETRY_SECONDS)


def _detail(response: httpx.Response) -> str:
    """Return what an error response says, in whichever of our two shapes it came."""
    try:
        return Problem.model_validate_json(response.content).detail
    except ValidationError:
        pass
    try:
        return OpenAIError.model_validate_json(response.content).error.message
    except ValidationError:
        return response.text[:200] or response.reason_phrase
