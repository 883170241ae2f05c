from uuid import uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin_contracts.base import NAMESPACE, uuid_of
from twin_contracts.events import CHANGE_EVENT, Cause, DocumentDeleted, Purge, Version
from twin_contracts.queues import Lane, Queue, partition_of
from twin_contracts.records import chunk_id_of, revision_of, text_hash_of

DOCUMENT = "a7bbff48-bee8-5d75-b7c7-3f0b1d1a283c"
A = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
B = "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"


def deleted(cause: Cause = Cause.LIVE, increment: int = 2) -> DocumentDeleted:
    return DocumentDeleted(document_id=DOCUMENT, version=Version(seconds=7, increment=increment), cause=cause)


def test_an_event_has_the_same_id_on_every_machine_and_in_every_release() -> None:
    assert deleted().event_id == "9c21a896-c815-5b51-8db9-200c058e40da"


@pytest.mark.parametrize("other", [deleted(Cause.REPLAY), deleted(increment=3)], ids=["cause", "version"])
def test_another_cause_or_version_is_another_event(other: DocumentDeleted) -> None:
    assert other.event_id != deleted().event_id


def test_a_purge_is_known_by_the_version_it_stops_at() -> None:
    one, again, other = (Purge(before=Version(seconds=7, increment=increment)) for increment in (2, 2, 3))

    assert one.event_id == again.event_id != other.event_id


def test_a_newer_schema_version_is_not_read_as_this_one() -> None:
    event = deleted().model_dump(mode="json") | {"schema_version": 2}

    with pytest.raises(ValueError, match="schema_version"):
        CHANGE_EVENT.validate_python(event)


def test_a_partition_is_the_crc32_of_the_id() -> None:
    check_value = 0xCBF43926  # of "123456789", in every description of CRC-32

    assert partition_of("123456789", 8) == check_value % 8
    assert partition_of("123456789", 1000) == check_value % 1000


@given(st.uuids().map(str), st.integers(1, 64))
def test_every_id_has_a_partition(document_id: str, partitions: int) -> None:
    assert 0 <= partition_of(document_id, partitions) < partitions


def test_a_queue_is_named_by_service_version_lane_and_partition() -> None:
    assert Queue(3, Lane.LIVE).name == "feature-stream.documents.v1.live.3"
    assert Queue(0, Lane.REFILL).name == "feature-stream.documents.v1.refill.0"


def test_revision_text_hash_and_chunk_id_are_the_same_in_every_release() -> None:
    assert revision_of(A, B) == "c5b0a6ea23c5e3a22ebbbb8928d698d0643c548b50bc10e585e0e69d6265f936"
    assert text_hash_of("a title > a heading\nthe text") == (
        "c0da26cc5ca6245bcab253f98572f449e30e3151716586b17cae4821df1fbcbf"
    )
    assert chunk_id_of(DOCUMENT, A, B, 0) == "9e333b09-856a-5039-930a-fcafe19f753a"


def test_the_same_text_twice_in_one_revision_is_two_chunks() -> None:
    assert chunk_id_of(DOCUMENT, A, B, 0) != chunk_id_of(DOCUMENT, A, B, 1)


@given(st.lists(st.text()))
def test_an_id_is_the_uuid5_of_its_parts(parts: list[str]) -> None:
    joined = "\x1f".join(parts)

    assert uuid_of(*parts) == str(uuid5(NAMESPACE, joined))
