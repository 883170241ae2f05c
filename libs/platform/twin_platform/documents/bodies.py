"""A raw document as a store keeps it: serialised, with the moment it was committed."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime

from pydantic import ValidationError

from twin_contracts.base import Digest, DocumentId
from twin_contracts.documents import MAX_DOCUMENT_BYTES, RAW_DOCUMENT, Raw
from twin_contracts.events import Version
from twin_platform.documents.errors import DocumentTooLarge
from twin_platform.documents.port import InvalidDocument, Row, StoredDocument

_REASON_LENGTH = 1000


class NotValid(ValueError):
    """Why stored bytes are no raw document; never quotes them."""


def body_of(document: Raw, committed_at: datetime) -> bytes:
    """Return the document as JSON, stamped with `committed_at`.

    Raises:
        DocumentTooLarge: it has more bytes than one change event can carry.
    """
    body = RAW_DOCUMENT.dump_json(document.model_copy(update={"committed_at": committed_at}))
    if len(body) > MAX_DOCUMENT_BYTES:
        raise DocumentTooLarge(document.id, len(body), MAX_DOCUMENT_BYTES)
    return body


def document_of(document_id: DocumentId, body: bytes) -> Raw | None:
    """Return the document stored under this id, None where what is stored is not valid."""
    try:
        return _parse(document_id, body)
    except NotValid:
        return None


def row_of(document_id: DocumentId, version: Version, content_hash: Digest, body: bytes) -> Row:
    """Return what is stored under this id; bytes that are no raw document carry their own hash and the reason."""
    try:
        document = _parse(document_id, body)
    except NotValid as error:
        return InvalidDocument(document_id, version, hashlib.sha256(body).hexdigest(), str(error))
    return StoredDocument(document_id, version, document.committed_at, content_hash, len(body), document)


def parse_fields(document_id: DocumentId, fields: Mapping[str, object]) -> Raw:
    """Return the document of these fields, in which its id may be missing; raises `NotValid`."""
    return _valid(document_id, lambda: RAW_DOCUMENT.validate_python({"id": document_id} | dict(fields)))


def _parse(document_id: DocumentId, body: bytes) -> Raw:
    return _valid(document_id, lambda: RAW_DOCUMENT.validate_json(body))


def _valid(document_id: DocumentId, validated: Callable[[], Raw]) -> Raw:
    try:
        document = validated()
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        told = "; ".join(": ".join([".".join(map(str, fault["loc"])) or "document", fault["msg"]]) for fault in faults)
        raise NotValid(told.replace("\x00", "\\0")[:_REASON_LENGTH]) from error
    if document.id != document_id:
        raise NotValid(f"id: is stored under {document_id!r} and calls itself {document.id!r}")
    return document
