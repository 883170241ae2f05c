"""Where a load's writes go: a document store's port, or a system's HTTP API."""

from dataclasses import dataclass
from typing import Protocol

import httpx

from twin_contracts.base import DocumentId
from twin_contracts.documents import Raw
from twin_platform.documents.errors import StoreUnavailable
from twin_platform.documents.port import DocumentStore


class AskAgain(Exception):
    """The write did not happen, or its call has ended: the same may be asked for again."""


class Unanswered(Exception):
    """Nobody knows whether the write happened, or still will."""


class Target(Protocol):
    """Where writes go. A call that returns was acknowledged; else it raises `AskAgain` or `Unanswered`."""

    def put(self, document: Raw) -> None:
        """Write the document."""

    def delete(self, document_id: DocumentId) -> None:
        """Delete the document."""


@dataclass(frozen=True)
class StoreTarget:
    """Writes through the port."""

    documents: DocumentStore

    def put(self, document: Raw) -> None:
        """Write the document."""
        try:
            self.documents.upsert(document)
        except StoreUnavailable as error:
            raise AskAgain from error

    def delete(self, document_id: DocumentId) -> None:
        """Delete the document."""
        try:
            self.documents.delete(document_id)
        except StoreUnavailable as error:
            raise AskAgain from error


@dataclass(frozen=True)
class HttpTarget:
    """Writes as a client does: PUT and DELETE, acknowledged by 202."""

    client: httpx.Client

    def put(self, document: Raw) -> None:
        """Write the document."""
        fields = {"text", "format", "title", "language", "repository", "path", "type"}
        body = document.model_dump(mode="json", include=fields, exclude_none=True)
        body |= {"author": document.author.name, "platform": document.source.platform}
        self._request("PUT", document.id, body, httpx.codes.ACCEPTED)

    def delete(self, document_id: DocumentId) -> None:
        """Delete the document; one that is not there is deleted."""
        self._request("DELETE", document_id, None, httpx.codes.ACCEPTED, httpx.codes.NOT_FOUND)

    def _request(self, method: str, document_id: DocumentId, body: object, *acknowledged: int) -> None:
        try:
            response = self.client.request(method, f"/v1/documents/{document_id}", json=body)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise AskAgain from error
        except httpx.TransportError as error:
            raise Unanswered from error
        if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            raise AskAgain
        if response.status_code not in acknowledged:
            message = f"{method} {document_id}: {response.status_code} {response.text}"
            raise ValueError(message)
