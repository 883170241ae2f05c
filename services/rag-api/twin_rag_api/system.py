"""Routes about the system itself: what it is, whether it lives, whether it is ready, how far it is."""

from typing import Final

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from twin_contracts.base import AuthorId
from twin_contracts.http import Readiness, RecordCounts, SystemStatus
from twin_contracts.records import RecordStatus
from twin_platform.log.errors import LogUnavailable
from twin_platform.records.reemissions import open_reemissions
from twin_rag_api.access import KeyAccess
from twin_rag_api.parts import Parts

_SERVING: Final = frozenset({"ready", "degraded"})
"""Component states in which questions are answered; a degraded one is late, not wrong."""

_WELCOME: Final = {
    "name": "LLM Twin",
    "what": "a live index of what you have written, and cited answers from it",
    "docs": "/docs",
    "status": "/v1/status",
    "documents": "/v1/documents",
    "crawls": "/v1/crawls",
    "search": "/v1/search",
    "chat": "/v1/chat/completions",
    "models": "/v1/models",
    "drafts": "/v1/drafts",
    "authors": "/v1/authors",
    "events": "/v1/events",
    "parked": "/v1/parked",
    "reemissions": "/v1/reemissions",
    "audits": "/v1/audits",
}


class SystemRoutes:
    """Counts and states as they are at the moment of asking; nothing is cached."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def router(self) -> APIRouter:
        """Return `/`, the two probes, `/v1/status` and `/metrics`."""
        router = APIRouter(tags=["system"])
        router.add_api_route("/", self.welcome, methods=["GET"])
        router.add_api_route("/healthz", self.healthy, methods=["GET"])
        router.add_api_route("/readyz", self.ready, methods=["GET"], responses={503: {"model": Readiness}})
        router.add_api_route("/v1/status", self.status, methods=["GET"])
        router.add_api_route("/metrics", self.metrics, methods=["GET"], response_class=PlainTextResponse)
        return router

    def welcome(self) -> dict[str, str]:
        """Say what this is, and where to go on."""
        return _WELCOME

    def healthy(self) -> dict[str, str]:
        """Answer while the process lives."""
        return {"status": "alive"}

    def ready(self, response: Response) -> Readiness:
        """Say whether questions are answered; 503 while not. Why, `/v1/status` tells who has a key."""
        readiness = self._readiness()
        response.status_code = 200 if readiness.ready else 503
        states = tuple(one.model_copy(update={"detail": None}) for one in readiness.components)
        return readiness.model_copy(update={"components": states})

    def metrics(self) -> PlainTextResponse:
        """Return the API's metrics in Prometheus's text format."""
        return PlainTextResponse(self._parts.metrics.text(), media_type=self._parts.metrics.content_type)

    def status(self, access: KeyAccess) -> SystemStatus:
        """Return what is stored, what is on its way, and the state of every component.

        A key that is bound to authors sees the counts of their documents, and of the whole system only how far it lags.
        """
        readiness = self._readiness()
        captured, reemissions = self._parts.captured(), len(open_reemissions(self._parts.records))
        return SystemStatus(
            ready=readiness.ready,
            components=readiness.components,
            counts=self._counts(access.authors),
            waiting=self._waiting(),  # after what fills the log: an event on its way is seen by one of them
            captured=captured,
            reemissions=reemissions,
            embedding=self._parts.embedder.spec.id,
            seconds_to_searchable=self._parts.seconds_to_searchable(),
            chunks_embedded=self._parts.chunks_embedded() if access.authors is None else 0,
        )

    def _waiting(self) -> int | None:
        try:
            return max(self._parts.log.waiting(), self._parts.unacknowledged())
        except LogUnavailable:  # of a system without its log this is what one wants to read
            return None

    def _readiness(self) -> Readiness:
        components = self._parts.components()
        return Readiness(ready=all(one.state in _SERVING for one in components), components=components)

    def _counts(self, authors: frozenset[AuthorId] | None) -> RecordCounts:
        features = self._parts.features
        return RecordCounts(
            stored=self._stored(authors),
            indexed=features.count_records(RecordStatus.INDEXED, authors),
            rejected=features.count_records(RecordStatus.REJECTED, authors),
            parked=features.count_records(RecordStatus.PARKED, authors),
            deleted=features.count_records(RecordStatus.DELETED, authors),
            chunks=features.count_chunks(authors),
        )

    def _stored(self, authors: frozenset[AuthorId] | None) -> int:
        documents = self._parts.documents
        if authors is None:
            return documents.count()
        return sum(count.documents for count in documents.authors() if count.author.id in authors)
