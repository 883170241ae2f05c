"""Events as bytes."""

import json

import pytest
from pydantic import ValidationError

from contract.conformance.log_contract import claim_check, deletion, post
from twin_contracts.events import CHANGE_EVENT, DocumentInvalid, EventHeaders, Purge, Version
from twin_platform.log.codec import decode, encode, headers_of
from twin_platform.log.errors import NewerSchema
from twin_platform.log.port import Event


def altered(**fields: object) -> bytes:
    return json.dumps(json.loads(CHANGE_EVENT.dump_json(deletion(1))) | fields).encode()


@pytest.mark.parametrize(
    "event", [deletion(1), post(2, 100), claim_check(3, 10), Purge(before=Version(seconds=4, increment=5))]
)
def test_what_was_encoded_is_decoded(event: Event) -> None:
    assert decode(encode(event)[1]) == event


def test_headers_name_the_document_its_version_cause_hash_and_size() -> None:
    event = post(2, 100)

    assert headers_of(event) == EventHeaders(
        document_id=event.document_id,
        version=event.version,
        cause=event.cause,
        content_hash=event.content_hash,
        size=100,
    )


def test_headers_of_an_invalid_document_carry_the_hash_of_its_bytes() -> None:
    event = DocumentInvalid(
        **deletion(1).model_dump(exclude={"event", "committed_at"}), content_hash="a" * 64, reason="no text"
    )

    assert headers_of(event).content_hash == "a" * 64


def test_a_purge_names_no_document() -> None:
    assert headers_of(Purge(before=Version(seconds=1, increment=0))) == EventHeaders()


def test_a_newer_schema_is_told_apart_from_a_broken_body() -> None:
    with pytest.raises(NewerSchema, match="schema version 2 and this release reads up to 1"):
        decode(altered(schema_version=2, event="renamed"))


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[]", altered(version="yesterday"), altered(schema_version="new")])
def test_a_broken_body_is_a_validation_error(body: bytes) -> None:
    with pytest.raises(ValidationError):
        decode(body)
