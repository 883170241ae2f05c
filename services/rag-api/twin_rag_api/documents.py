"""Routes of documents: put, get, delete, list."""

import asyncio
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from twin_contracts.base import AuthorId, DocumentId
from twin_contracts.documents import DocumentType, Raw
from twin_contracts.http import (
    CLIENT_ID_PATTERN,
    DocumentPage,
    DocumentState,
    DocumentStatus,
)
from twin_contracts.records import DocumentRecord, RecordStatus
from twin_platform.records.authors import known_as, known_id, store_document
from twin_rag_api.access import Access, KeyAccess
from twin_rag_api.document_body import BODY, GivenDocument
from twin_rag_api.document_status import status_of
from twin_rag_api.errors import AuthorNotOfKey, DocumentUnknown
from twin_rag_api.parts import Parts
from twin_rag_api.raw import raw_document, resolve

_POLL_SECONDS: Final = 0.02
_POLL_SHARE: Final = 0.1
"""Who has waited for seconds does not notice a tenth more; each look takes time from the flow that is waited for."""
_LOOK_SECONDS: Final = 1.0
"""A waiting request reads the record often, and the document itself as seldom as this while the record stays."""

GivenId = Annotated[
    str, Path(alias="id", pattern=CLIENT_ID_PATTERN, description="The document id, or the client's own id.")
]


class DocumentRoutes:
    """A write is acknowledged once the store committed it; where it is on its way, its status says.

    What an author wrote whom the key is not bound to is not there, for any verb: 404.
    """

    def __init__(self, parts: Parts) -> None:
        self._documents = parts.documents
        self._features = parts.features
        self._records = parts.records
        self._owner = parts.default_author
        self._captured = parts.captured

    def router(self) -> APIRouter:
        """Return the routes below `/v1/documents`."""
        router = APIRouter(prefix="/v1/documents", tags=["documents"])
        router.add_api_route("", self.list, methods=["GET"])
        router.add_api_route("/{id}", self.put, methods=["PUT"], status_code=202, openapi_extra=BODY)
        router.add_api_route("/{id}", self.get, methods=["GET"])
        router.add_api_route("/{id}", self.delete, methods=["DELETE"], status_code=202)
        return router

    def put(self, given_id: GivenId, given: GivenDocument, access: KeyAccess, response: Response) -> DocumentStatus:
        """Store a document; the same content again changes nothing. `Location` is where its status can be asked."""
        document = raw_document(resolve(given_id), given, self._owner())
        if access.authors is not None and known_as(self._records, document.author).id not in access.authors:
            raise AuthorNotOfKey(access.authors)
        self._refuse_foreign(document.id, access)
        store_document(self._documents, self._records, document)
        response.headers["Location"] = f"/v1/documents/{document.id}"
        return self._status(document.id, access)

    async def get(
        self,
        given_id: GivenId,
        access: KeyAccess,
        wait: Annotated[Literal["indexed"] | None, Query()] = None,
        timeout: Annotated[float, Query(ge=0, le=60, description="Seconds to wait.")] = 5.0,  # noqa: ASYNC109 - the client's own
    ) -> DocumentStatus:
        """Return a document's status; with `wait=indexed` once it is settled, or as it is when the time is up."""
        document_id = resolve(given_id)
        now = asyncio.get_running_loop().time
        began = now()
        deadline = began + (timeout if wait else 0.0)
        while True:
            # read before the status: a change that comes between the two is seen by the next look
            record = await run_in_threadpool(self._record, document_id)
            status = await run_in_threadpool(self._status, document_id, access)
            if status.status is not DocumentState.PENDING:
                return status
            if now() >= deadline:
                return status.model_copy(update={"captured": await run_in_threadpool(self._captured)})
            look_again = min(deadline, now() + _LOOK_SECONDS)
            while now() < look_again and await run_in_threadpool(self._record, document_id) == record:  # noqa: ASYNC110 - another process may write it
                await asyncio.sleep(max(_POLL_SECONDS, min(_LOOK_SECONDS / 4, (now() - began) * _POLL_SHARE)))

    def delete(self, given_id: GivenId, access: KeyAccess, response: Response) -> DocumentStatus:
        """Delete a document. It is `pending` until its chunks are gone; then its status is 404."""
        document_id = resolve(given_id)
        self._refuse_foreign(document_id, access)
        if not self._documents.delete(document_id):
            raise DocumentUnknown(document_id)
        response.headers["Location"] = f"/v1/documents/{document_id}"
        gone = DocumentStatus(document_id=document_id, status=DocumentState.DELETED)
        return status_of(document_id, None, self._record(document_id)) or gone

    def list(
        self,
        access: KeyAccess,
        author: Annotated[AuthorId | None, Query()] = None,
        type: Annotated[DocumentType | None, Query()] = None,  # noqa: A002 - the contract's own field name
        cursor: Annotated[DocumentId | None, Query(description="`next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> DocumentPage:
        """Return one page of documents with their status, in id order."""
        found: list[Raw] = []
        for one in _authors(author and known_id(self._records, author), access):
            found += self._documents.find(author=one, type=type, after=cursor, limit=limit + 1)
        found.sort(key=lambda document: document.id)
        page = found[:limit]
        records = self._features.records([document.id for document in page], with_text=False)
        states = (status_of(document.id, document, records.get(document.id)) for document in page)
        return DocumentPage(
            items=tuple(state for state in states if state is not None),
            next=page[-1].id if len(found) > limit else None,
        )

    def _refuse_foreign(self, document_id: DocumentId, access: Access) -> None:
        """Answer what for the key is not there as if it were not there, without reading it first."""
        if access.authors is None:
            return
        author = self._documents.author_of(document_id)
        if author is None:
            record = self._record(document_id)
            if record is None or record.status is RecordStatus.DELETED:
                return
            author = record.metadata.author if record.metadata else None  # its deletion is on its way
        if not access.sees(author):
            raise DocumentUnknown(document_id)

    def _status(self, document_id: DocumentId, access: Access) -> DocumentStatus:
        self._refuse_foreign(document_id, access)
        status = status_of(document_id, self._documents.get(document_id), self._record(document_id))
        if status is None:
            raise DocumentUnknown(document_id)
        return status

    def _record(self, document_id: DocumentId) -> DocumentRecord | None:
        return self._features.records([document_id], with_text=False).get(document_id)


def _authors(asked: AuthorId | None, access: Access) -> list[AuthorId | None]:
    """Return whose documents are listed; `[None]` is everybody's."""
    if asked is not None:
        return [asked] if access.sees(asked) else []
    return [None] if access.authors is None else [*sorted(access.authors)]
