"""Routes of documents: put, get, delete, list."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from twin_contracts.base import AuthorId, DocumentId
from twin_contracts.documents import AuthorRef, DocumentType
from twin_contracts.http import (
    CLIENT_ID_PATTERN,
    DocumentInput,
    DocumentPage,
    DocumentState,
    DocumentStatus,
)
from twin_platform.documents.port import DocumentStore
from twin_platform.features.port import FeatureStore
from twin_rag_api.document_status import status_of
from twin_rag_api.errors import DocumentUnknown
from twin_rag_api.raw import raw_document, resolve

_POLL_SECONDS: Final = 0.02

GivenId = Annotated[
    str, Path(alias="id", pattern=CLIENT_ID_PATTERN, description="The document id, or the client's own id.")
]


class DocumentRoutes:
    """A write is acknowledged once the store committed it; where it is on its way, its status says."""

    def __init__(self, documents: DocumentStore, features: FeatureStore, owner: Callable[[], AuthorRef]) -> None:
        self._documents = documents
        self._features = features
        self._owner = owner

    def router(self) -> APIRouter:
        """Return the routes below `/v1/documents`."""
        router = APIRouter(prefix="/v1/documents", tags=["documents"])
        router.add_api_route("", self.list, methods=["GET"])
        router.add_api_route("/{id}", self.put, methods=["PUT"], status_code=202)
        router.add_api_route("/{id}", self.get, methods=["GET"])
        router.add_api_route("/{id}", self.delete, methods=["DELETE"], status_code=202)
        return router

    def put(self, given_id: GivenId, given: DocumentInput, response: Response) -> DocumentStatus:
        """Store a document; the same content again changes nothing. `Location` is where its status can be asked."""
        document = raw_document(resolve(given_id), given, self._owner())
        self._documents.upsert(document)
        response.headers["Location"] = f"/v1/documents/{document.id}"
        return self._status(document.id)

    async def get(
        self,
        given_id: GivenId,
        wait: Annotated[Literal["indexed"] | None, Query()] = None,
        timeout: Annotated[float, Query(ge=0, le=60, description="Seconds to wait.")] = 5.0,  # noqa: ASYNC109 - the client's own
    ) -> DocumentStatus:
        """Return a document's status; with `wait=indexed` once it is settled, or as it is when the time is up."""
        document_id = resolve(given_id)
        now = asyncio.get_running_loop().time
        deadline = now() + (timeout if wait else 0.0)
        status = await run_in_threadpool(self._status, document_id)
        while status.status is DocumentState.PENDING and now() < deadline:
            await asyncio.sleep(_POLL_SECONDS)
            status = await run_in_threadpool(self._status, document_id)
        return status

    def delete(self, given_id: GivenId, response: Response) -> DocumentStatus:
        """Delete a document. It is `pending` until its chunks are gone; then its status is 404."""
        document_id = resolve(given_id)
        if not self._documents.delete(document_id):
            raise DocumentUnknown(document_id)
        response.headers["Location"] = f"/v1/documents/{document_id}"
        record = self._features.records([document_id]).get(document_id)
        gone = DocumentStatus(document_id=document_id, status=DocumentState.DELETED)
        return status_of(document_id, None, record) or gone

    def list(
        self,
        author: Annotated[AuthorId | None, Query()] = None,
        type: Annotated[DocumentType | None, Query()] = None,  # noqa: A002 - the contract's own field name
        cursor: Annotated[DocumentId | None, Query(description="`next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> DocumentPage:
        """Return one page of documents with their status, in id order."""
        found = self._documents.find(author=author, type=type, after=cursor, limit=limit + 1)
        page = found[:limit]
        records = self._features.records([document.id for document in page])
        states = (status_of(document.id, document, records.get(document.id)) for document in page)
        return DocumentPage(
            items=tuple(state for state in states if state is not None),
            next=page[-1].id if len(found) > limit else None,
        )

    def _status(self, document_id: DocumentId) -> DocumentStatus:
        record = self._features.records([document_id]).get(document_id)
        status = status_of(document_id, self._documents.get(document_id), record)
        if status is None:
            raise DocumentUnknown(document_id)
        return status
