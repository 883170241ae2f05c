"""Routes of what did not get through: refused and parked documents, and messages that nobody could read."""

import base64
import heapq
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query

from twin_contracts.base import AuthorId, DocumentId, uuid_of
from twin_contracts.http import DocumentState
from twin_contracts.records import DocumentRecord, RecordStatus
from twin_contracts.repair import CURSOR_PATTERN, ParkedPage, UnreadableDetail, UnreadableEntry
from twin_platform.records.port import Stored
from twin_platform.records.unreadable import UnreadableMessage, unreadable_messages
from twin_rag_api.access import Access, KeyAccess, WholeAccess
from twin_rag_api.document_status import status_of
from twin_rag_api.errors import MessageUnknown
from twin_rag_api.parts import Parts

_REFUSED: Final = (RecordStatus.PARKED, RecordStatus.REJECTED)
_SHOWN: Final = frozenset(DocumentState(status.value) for status in _REFUSED)
_MOST_UNREADABLE: Final = 100


class ParkedRoutes:
    """What an author wrote whom the key is not bound to is not there; unreadable messages are nobody's."""

    def __init__(self, parts: Parts) -> None:
        self._documents, self._features, self._records = parts.documents, parts.features, parts.records

    def router(self) -> APIRouter:
        """Return the routes of `/v1/parked` and `/v1/unreadable`."""
        router = APIRouter(tags=["repair"])
        router.add_api_route("/v1/parked", self.list, methods=["GET"])
        router.add_api_route("/v1/unreadable/{id}", self.unreadable, methods=["GET"])
        return router

    def list(
        self,
        access: KeyAccess,
        cursor: Annotated[str | None, Query(pattern=CURSOR_PATTERN, description="`next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> ParkedPage:
        """Return one page of rejected and parked documents with their reason, newest first.

        One that was changed since, and is on its way again, is not among them.
        """
        before = _place_of(cursor) if cursor else None
        refused = (one for one in self._refused(access) if before is None or _place(one) < before)
        found = heapq.nlargest(limit + 1, refused, key=_place)
        states = (status_of(one.document_id, self._documents.get(one.document_id), one) for one in found[:limit])
        return ParkedPage(
            items=tuple(state for state in states if state is not None and state.status in _SHOWN),
            unreadable=tuple(self._unreadable()) if access.authors is None and cursor is None else (),
            next=_cursor(found[limit - 1]) if len(found) > limit else None,
        )

    def unreadable(self, message_id: Annotated[DocumentId, Path(alias="id")], _access: WholeAccess) -> UnreadableDetail:
        """Return a message that nobody could decode, with its bytes."""
        for stored in unreadable_messages(self._records):
            entry = _entry(stored)
            if entry.id == message_id:
                return UnreadableDetail(**entry.model_dump(), body_base64=stored.record.body_base64)
        raise MessageUnknown(message_id)

    def _refused(self, access: Access) -> Iterator[DocumentRecord]:
        for status in _REFUSED:
            for record in self._features.find_records(status=status, with_text=False):
                if access.authors is None or access.sees(self._author_of(record)):
                    yield record

    def _author_of(self, record: DocumentRecord) -> AuthorId | None:
        """Return whose it is: the store knows that also of what could not be decoded on its way."""
        author = self._documents.author_of(record.document_id)
        return author or (record.metadata.author if record.metadata else None)

    def _unreadable(self) -> Iterator[UnreadableEntry]:
        return map(_entry, islice(unreadable_messages(self._records), _MOST_UNREADABLE))


_Place = tuple[int, int, DocumentId]


def _place(record: DocumentRecord) -> _Place:
    return record.version.seconds, record.version.increment, record.document_id


def _cursor(record: DocumentRecord) -> str:
    return ".".join(map(str, _place(record)))


def _place_of(cursor: str) -> _Place:
    seconds, increment, document_id = cursor.split(".")
    return int(seconds), int(increment), document_id


def _entry(stored: Stored[UnreadableMessage]) -> UnreadableEntry:
    message = stored.record
    size = len(base64.b64decode(message.body_base64))
    return UnreadableEntry(
        id=uuid_of("unreadable", stored.key), queue=message.queue, size=size, received_at=message.received_at
    )
