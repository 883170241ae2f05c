"""Change events as bytes: the body every log carries, and the headers that survive a body nobody can decode."""

from collections.abc import Mapping

from pydantic import ValidationError

from twin_contracts.base import Contract
from twin_contracts.events import (
    CHANGE_EVENT,
    SCHEMA_VERSION,
    DocumentChanged,
    DocumentDeleted,
    DocumentInvalid,
    EventHeaders,
    Purge,
)
from twin_platform.log.errors import NewerSchema
from twin_platform.log.port import Event


class _Envelope(Contract):
    schema_version: int


def headers_of(event: Event) -> EventHeaders:
    """Return what travels beside the body. A purge names no document, so its headers are empty."""
    match event:
        case DocumentChanged():
            return EventHeaders(
                document_id=event.document_id,
                version=event.version,
                cause=event.cause,
                content_hash=event.content_hash,
                size=event.size,
            )
        case DocumentInvalid():
            return EventHeaders(
                document_id=event.document_id,
                version=event.version,
                cause=event.cause,
                content_hash=event.content_hash,
            )
        case DocumentDeleted():
            return EventHeaders(document_id=event.document_id, version=event.version, cause=event.cause)
        case Purge():
            return EventHeaders()


def headers_from(stored: bytes) -> EventHeaders:
    """Return the headers as they were stored; empty where they are not ours, since nobody could read them ever."""
    try:
        return EventHeaders.model_validate_json(stored)
    except ValidationError:
        return EventHeaders()


def headers_from_table(table: Mapping[str, object] | None) -> EventHeaders:
    """Return the headers that a broker carried as a table; empty where they are not ours."""
    try:
        return EventHeaders.model_validate(table or {})
    except ValidationError:
        return EventHeaders()


def encode(event: Event) -> tuple[EventHeaders, bytes]:
    """Return headers and body as they are stored and sent."""
    return headers_of(event), CHANGE_EVENT.dump_json(event)


def decode(body: bytes) -> Event:
    """Return the event of a body.

    Raises:
        NewerSchema: a newer release wrote it; the reader must stop, because a later one can read it.
        ValidationError: it can be decoded by nobody; the reader goes on without it.
    """
    try:
        return CHANGE_EVENT.validate_json(body)
    except ValidationError:
        schema_version = _schema_version(body)
        if schema_version > SCHEMA_VERSION:
            raise NewerSchema(schema_version, SCHEMA_VERSION) from None
        raise


def _schema_version(body: bytes) -> int:
    try:
        return _Envelope.model_validate_json(body).schema_version
    except ValidationError:
        return SCHEMA_VERSION
