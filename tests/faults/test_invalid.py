"""Faults of what is stored: bytes that some other program left where a document should be."""

from collections.abc import Iterator

import pytest

from fakes.chain import Chain
from fakes.flow import post
from faults.chains import load, opened
from faults.conftest import Seen
from faults.installations import SqliteInstallation
from faults.table import fault
from twin_contracts.base import uuid_of
from twin_contracts.records import RecordStatus, Stage

GARBAGE = {
    "no JSON": b"\xff\xfe\x00garbage",
    "empty": b"",
    "another program's": b'{"type": "post", "body": "no text"}',
    "another document's": post("somebody else", "It calls itself by another id.").model_dump_json().encode(),
    "of a type to come": b'{"type": "film", "id": "x"}',
}
FOREIGN_ID = "no id at all"


@pytest.fixture
def chain(services: SqliteInstallation) -> Iterator[Chain]:
    with opened(services) as chain:
        yield chain


@fault(35, "a stored document that does not validate", expected="rejected with the reason, cdc goes on")
def test_what_does_not_validate_is_rejected_and_its_neighbours_go_on(
    services: SqliteInstallation, chain: Chain, seen: Seen
) -> None:
    damaged = post("damaged", "This was valid once.")
    with chain.running():
        writes = load(chain)
        writes.run(30)
        chain.put(damaged)
        chain.wait_until_quiet()
        for name, body in GARBAGE.items():
            services.write_foreign(post(name, "").id, body)
        services.write_foreign(FOREIGN_ID, b"neither a document")
        services.damage(damaged.id, b"{}")
        writes.run(30)
        chain.wait_until_quiet()
        chain.resync()  # finds what was damaged behind the feed's back
        chain.wait_until_quiet()
        refused = {record.document_id: record for record in chain.features.find_records(status=RecordStatus.REJECTED)}
        left = [hit for name in (*GARBAGE, "damaged") for hit in chain.texts(post(name, ""))]
        for name in (*GARBAGE, "damaged"):
            chain.put(post(name, "Valid at last."))
        chain.documents.delete(FOREIGN_ID)
        chain.wait_until_quiet()

    expected = {post(name, "").id for name in (*GARBAGE, "damaged")} | {uuid_of("foreign", FOREIGN_ID)}
    verdict = chain.verdict()
    seen(f"{len(refused)} of {len(expected)} rejected, each with its reason; written anew, {verdict}")
    assert refused.keys() == expected
    assert all(record.stage is Stage.DECODE and record.reason for record in refused.values())
    assert repr(FOREIGN_ID) in (refused[uuid_of("foreign", FOREIGN_ID)].reason or "")
    assert left == []
    assert verdict.exact
