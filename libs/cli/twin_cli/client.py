"""The REST API as the commands speak it; survives a restart of the system in between."""

import time
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from twin_cli.errors import NotLLMTwin, Refused, SystemUnreachable
from twin_contracts.audit import AuditReport
from twin_contracts.authors import AuthorList, Forgotten, Merged, MergeInput, OwnerInput
from twin_contracts.base import AuthorId, DocumentId
from twin_contracts.chat import ChatCompletion, ChatMessage, ChatRequest, OpenAIError, TwinOptions
from twin_contracts.crawl import CrawlJob, CrawlRequest, SourcePage
from twin_contracts.documents import AuthorRef
from twin_contracts.drafts import DraftRequest, DraftResult
from twin_contracts.http import (
    DocumentInput,
    DocumentPage,
    DocumentStatus,
    Problem,
    SearchFilters,
    SearchRequest,
    SearchResult,
    SystemStatus,
)
from twin_contracts.keys import KeyEntry, KeyInput, KeyList, NewKey
from twin_contracts.repair import Optimized, ParkedPage, ReemissionInput, ReemissionStatus, UnreadableDetail
from twin_contracts.style import StyleCard
from twin_platform.telemetry.clock import Clock, SystemClock

M = TypeVar("M", bound=BaseModel)

PATIENCE_SECONDS = 60.0
"""How long a command waits for a system that stopped answering before it gives up."""
QUIET_SECONDS = 3.0
"""For so long it says nothing about that: a restart takes about as long."""
RETRY_SECONDS = 0.3
ANSWER_SECONDS = 180.0
MODEL_SECONDS = 1800.0
"""A draft comes in one piece: three thousand words at two a second."""
_NO_SUCH_ROUTE = {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED}
_PASSING = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}


def unsaid(_line: str) -> None:
    """Say nothing."""


class Client:
    """One running system. Calls are idempotent, so a lost connection is tried again for a minute.

    Args:
        locate: returns the system's URL and key; asked before every request, since a restarted system may listen
            elsewhere.
        say: told once, when an answer is waited for longer than usual.
        clock: measures patience.
        wait: passes time between two tries.
        transport: what carries the requests; None for the network.
    """

    def __init__(
        self,
        locate: Callable[[], tuple[str, str]],
        say: Callable[[str], None] = unsaid,
        wait: Callable[[float], None] = time.sleep,
        clock: Clock | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._locate = locate
        self._say = say
        self._wait = wait
        self._clock = clock or SystemClock()
        self._http = httpx.Client(trust_env=False, transport=transport)

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

    def delete(self, document_id: DocumentId) -> DocumentStatus:
        """Delete a document; returns after the store's commit."""
        return self._call("DELETE", f"/v1/documents/{document_id}", DocumentStatus)

    def forget(self, author: AuthorId) -> Forgotten:
        """Delete every document of an author; returns after the store's commits."""
        return self._call("DELETE", f"/v1/authors/{author}", Forgotten)

    def search(self, query: str, limit: int, filters: SearchFilters) -> SearchResult:
        """Return the best passages."""
        request = SearchRequest(query=query, limit=limit, filters=filters)
        return self._call("POST", "/v1/search", SearchResult, request.model_dump_json())

    def ask(self, question: str, filters: SearchFilters) -> ChatCompletion:
        """Return a cited answer or a refusal."""
        message = ChatMessage(role="user", content=question)
        request = ChatRequest(model="twin", messages=(message,), twin=TwinOptions(filters=filters))
        return self._call("POST", "/v1/chat/completions", ChatCompletion, request.model_dump_json(), MODEL_SECONDS)

    def authors(self) -> AuthorList:
        """Return who there is."""
        return self._call("GET", "/v1/authors", AuthorList)

    def set_owner(self, name: str) -> AuthorRef:
        """Say whose installation it is; returns under which name they are known."""
        return self._call("PUT", "/v1/owner", AuthorRef, OwnerInput(name=name).model_dump_json())

    def create_key(self, given: KeyInput) -> NewKey:
        """Make a key and return its text. Where the answer is lost, the second try says that the name is taken."""
        return self._call("POST", "/v1/keys", NewKey, given.model_dump_json(exclude_none=True))

    def keys(self) -> KeyList:
        """Return every key there ever was."""
        return self._call("GET", "/v1/keys", KeyList)

    def revoke_key(self, name: str) -> KeyEntry:
        """End a key."""
        return self._call("DELETE", f"/v1/keys/{quote(name, safe='')}", KeyEntry)

    def merge(self, source: str, target: str) -> Merged:
        """Move some of the source's documents to the target; to be repeated while any are left."""
        body = MergeInput(source=source, target=target).model_dump_json()
        return self._call("POST", "/v1/authors/merge", Merged, body)

    def style(self, author: AuthorId) -> StyleCard:
        """Return the author's habits."""
        return self._call("GET", f"/v1/authors/{author}/style", StyleCard)

    def draft(self, request: DraftRequest) -> DraftResult:
        """Return a draft, or an outline where there is no model."""
        return self._call("POST", "/v1/drafts", DraftResult, request.model_dump_json(), MODEL_SECONDS)

    def documents(self, author: AuthorId) -> Iterator[DocumentStatus]:
        """Yield every document of an author, page by page."""
        page: DocumentPage | None = None
        while page is None or page.next is not None:
            cursor = f"&cursor={page.next}" if page else ""
            page = self._call("GET", f"/v1/documents?author={author}&limit=500{cursor}", DocumentPage)
            yield from page.items

    def crawl(self, request: CrawlRequest) -> CrawlJob:
        """Ask for links to be crawled; asked twice, the second crawl finds everything unchanged."""
        return self._call("POST", "/v1/crawls", CrawlJob, request.model_dump_json(exclude_none=True))

    def crawl_job(self, job_id: DocumentId) -> CrawlJob:
        """Return how far a crawl is."""
        return self._call("GET", f"/v1/crawls/{job_id}", CrawlJob)

    def sources(self, cursor: DocumentId | None = None) -> SourcePage:
        """Return one page of the links that documents came from."""
        return self._call("GET", "/v1/sources" + (f"?cursor={cursor}" if cursor else ""), SourcePage)

    def status(self) -> SystemStatus:
        """Return the system's counts and lag."""
        return self._call("GET", "/v1/status", SystemStatus)

    def parked(self, cursor: str | None = None) -> ParkedPage:
        """Return one page of what was parked or rejected, newest first."""
        return self._call("GET", "/v1/parked" + (f"?cursor={cursor}" if cursor else ""), ParkedPage)

    def unreadable(self, message_id: DocumentId) -> UnreadableDetail:
        """Return a message that nobody could decode."""
        return self._call("GET", f"/v1/unreadable/{quote(message_id, safe='')}", UnreadableDetail)

    def reemit(self, ids: Sequence[str] | None) -> ReemissionStatus:
        """Ask for documents to be made anew; None: everything."""
        body = ReemissionInput(ids=tuple(ids) if ids is not None else None)
        return self._call("POST", "/v1/reemissions", ReemissionStatus, body.model_dump_json(exclude_none=True))

    def reemission(self, request_id: DocumentId) -> ReemissionStatus:
        """Return how far a re-emission is."""
        return self._call("GET", f"/v1/reemissions/{request_id}", ReemissionStatus)

    def ask_audit(self) -> AuditReport:
        """Ask for an audit, or join one that has not begun."""
        return self._call("POST", "/v1/audits", AuditReport)

    def audit(self, audit_id: DocumentId) -> AuditReport:
        """Return how far an audit is."""
        return self._call("GET", f"/v1/audits/{audit_id}", AuditReport)

    def optimize(self) -> Optimized:
        """Rebuild the indexes; returns when that is done."""
        return self._call("POST", "/v1/optimize", Optimized, seconds=MODEL_SECONDS)

    def _call(
        self, method: str, path: str, answer: type[M], body: str | None = None, seconds: float = ANSWER_SECONDS
    ) -> M:
        response = self._patiently(method, path, body, seconds)
        url = str(response.request.url)
        if response.is_success:
            try:
                return answer.model_validate_json(response.content)
            except ValidationError as error:
                raise NotLLMTwin(url, _beginning(response)) from error
        if response.status_code in _NO_SUCH_ROUTE and _told(response) is None:
            raise NotLLMTwin(url, f"{response.status_code} {_beginning(response)}")
        raise Refused(f"{method} {path.partition('?')[0]}", response.status_code, _detail(response))

    def _patiently(self, method: str, path: str, body: str | None, seconds: float) -> httpx.Response:
        timeout = httpx.Timeout(seconds, connect=5.0)
        asked: str | None = None
        began = 0.0
        told = False
        while True:
            url, key = self._locate()
            if url != asked:  # another process has taken over, and gets its own time
                asked, began = url, self._clock.monotonic()
            waited = self._clock.monotonic() - began
            try:
                headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
                response = self._http.request(method, url + path, content=body, headers=headers, timeout=timeout)
            except httpx.TransportError as error:
                why = str(error) or type(error).__name__
                if waited > PATIENCE_SECONDS:
                    raise SystemUnreachable(url, why) from error
            else:
                if not _passes(response) or waited > PATIENCE_SECONDS:
                    return response
                why = _detail(response)
            if waited > QUIET_SECONDS and not told:
                self._say(f"{url} does not answer ({why}); trying for {PATIENCE_SECONDS:.0f} s, Ctrl-C ends it")
                told = True
            self._wait(RETRY_SECONDS)


def _passes(response: httpx.Response) -> bool:
    """Return whether trying again may help: a proxy's 502 passes, our own says that a language model failed."""
    ours = response.headers.get("content-type", "").startswith("application/problem+json")
    return response.status_code in _PASSING and not (ours and response.status_code == HTTPStatus.BAD_GATEWAY)


def _detail(response: httpx.Response) -> str:
    return _told(response) or _beginning(response)


def _beginning(response: httpx.Response) -> str:
    """Return the first words of what something else says, a proxy for example; of a page no more than its status."""
    page = "html" in response.headers.get("content-type", "") or response.text.lstrip().startswith("<")
    said = "" if page else " ".join(response.text.split())[:200]
    return said or (f"a web page ({response.reason_phrase})" if page else response.reason_phrase)


def _told(response: httpx.Response) -> str | None:
    """Return what an error response says, in whichever of our two shapes it came; None where it is neither."""
    try:
        return Problem.model_validate_json(response.content).detail
    except ValidationError:
        pass
    try:
        return OpenAIError.model_validate_json(response.content).error.message
    except ValidationError:
        return None
