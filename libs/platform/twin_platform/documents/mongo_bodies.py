"""A raw document as MongoDB keeps it: its JSON's fields, under its id as `_id`.

The fields are what JSON has, dates as text among them: the database's own dates would lose microseconds, and with them
the content hash.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime

from bson.json_util import CANONICAL_JSON_OPTIONS, dumps

from twin_contracts.base import Digest, DocumentId
from twin_contracts.documents import Raw, content_hash
from twin_contracts.events import Version
from twin_platform.documents.bodies import NotValid, body_of, parse_fields
from twin_platform.documents.port import InvalidDocument, Row, StoredDocument
from twin_platform.mongo import Stored


def stored_of(document: Raw, committed_at: datetime) -> Stored:
    """Return what to store; raises `DocumentTooLarge`."""
    fields: Stored = json.loads(body_of(document, committed_at))
    del fields["id"]
    return {"_id": document.id, **fields, "content_hash": content_hash(document)}


def id_of(stored_id: object) -> DocumentId:
    """Return an id that is stored as the port tells it; one that is no text as its JSON."""
    return stored_id if isinstance(stored_id, str) else dumps(stored_id, json_options=CANONICAL_JSON_OPTIONS)


def document_of(stored: Mapping[str, object]) -> Raw | None:
    """Return the document, None where what is stored is not valid."""
    try:
        return _parse(stored)
    except NotValid:
        return None


def row_of(stored: Mapping[str, object], version: Version) -> Row:
    """Return what is stored as a row: a document, or why it is none, with the hash of its canonical extended JSON."""
    document_id = id_of(stored["_id"])
    try:
        document = _parse(stored)
    except NotValid as error:
        return InvalidDocument(document_id, version, hash_of(stored), str(error))
    size = len(document.model_dump_json().encode())
    return StoredDocument(document_id, version, document.committed_at, content_hash(document), size, document)


def hash_of(stored: Mapping[str, object]) -> Digest:
    """Return the hash by which what is no document is known."""
    return hashlib.sha256(dumps(stored, json_options=CANONICAL_JSON_OPTIONS).encode()).hexdigest()


def _parse(stored: Mapping[str, object]) -> Raw:
    fields = {name: value for name, value in stored.items() if name not in {"_id", "content_hash"}}
    return parse_fields(id_of(stored["_id"]), fields)
