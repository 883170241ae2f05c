"""Faults of what reaches the sink: events late, twice and out of order, revisions that lose or regain chunks."""

import base64
import random
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import ClassVar

import pytest

from benchmarks.oracle import leftovers
from benchmarks.processes import Services
from fakes.chain import Chain
from fakes.flow import article, post
from faults.chains import load, opened, with_handler
from faults.conftest import Seen
from faults.installations import SqliteInstallation
from faults.table import fault
from twin_cdc.capture import event_of
from twin_contracts.base import DocumentId
from twin_contracts.documents import DocumentType, Raw, content_hash
from twin_contracts.events import Cause, DocumentChanged, DocumentEvent, Version
from twin_contracts.queues import Lane, Queue, partition_of
from twin_contracts.records import RecordStatus, Stage
from twin_feature_stream.bootstrap import build_registry
from twin_feature_stream.handlers.clean_post import CleanPost
from twin_feature_stream.ports import Chunk, CleanDocument, Rejected
from twin_platform.embedding.hashing import HashingEmbedder
from twin_platform.log.codec import encode
from twin_platform.records.unreadable import UNREADABLE


@pytest.fixture
def chain(services: Services) -> Iterator[Chain]:
    with opened(services) as chain:
        yield chain


def told(chain: Chain, changes: Iterable[None]) -> list[DocumentEvent]:
    """Make the changes, and return the event of every single one, however soon the next follows."""
    events: list[DocumentEvent] = []
    with closing(chain.documents.changes(None)) as feed:
        for _ in changes:
            events += [event_of(change, Cause.LIVE) for change in feed.read(100, 0.0)]
    return events


@contextmanager
def watched(chain: Chain) -> Iterator[list[str]]:
    """Read all the while; yields the steps back in time that a reader saw."""
    back: list[str] = []
    seen: dict[DocumentId, Version] = {}
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            for record in chain.features.find_records(with_text=False):
                if record.version < seen.get(record.document_id, record.version):
                    back.append(f"{record.document_id} went from {seen[record.document_id]} to {record.version}")
                seen[record.document_id] = record.version
            done.wait(0.01)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield back
    finally:
        done.set()
        thread.join(20)


def histories(chain: Chain, chances: random.Random) -> Iterator[None]:
    """Edit 12 documents five times; eight are deleted once and come back, four end deleted."""
    for number in range(12):
        for edit in range(5):
            chain.put(article(f"history-{number}", f"Edit {edit} of history {number}.\n\nIt is {chances.random()}."))
            yield
            if edit == 2 * (number % 3):
                chain.delete(article(f"history-{number}", ""))
                yield


NAMELESS = ("{}", '{"document_id": "not an id", "version": 7}', "no JSON", "")
"""Headers that name no document."""


@fault(
    26, "an event five times, versions shuffled, delete then a stale upsert", expected="newest state, no resurrection"
)
def test_the_newest_version_wins_whatever_comes_twice_or_late(services: Services, chain: Chain, seen: Seen) -> None:
    chances = random.Random(26)  # noqa: S311 - the same order in every run
    with chain.running():
        writes = load(chain)
        writes.run(30)
        chain.wait_until_quiet()
    events = told(chain, histories(chain, chances))
    shuffled = events * 5
    chances.shuffle(shuffled)
    with chain.running(), watched(chain) as back:
        for event in shuffled:
            chain.publish(event, chances.choice([Lane.LIVE, Lane.REFILL]))
        writes.run(30)
        chain.wait_until_quiet()
        for event in events:  # every one of them stale by now but the last of each document
            chain.publish(event, chances.choice([Lane.LIVE, Lane.REFILL]))
        chain.wait_until_quiet()

    verdict = chain.verdict()
    seen(f"{verdict}, {services.duplicates()} published again; leftovers {leftovers(chain.features)}")
    assert services.duplicates() >= 4 * len(events)
    assert not back
    assert verdict.exact
    assert leftovers(chain.features) == 0


def sentences(count: int) -> str:
    """Return a text of this many chunks: two of its sentences are more than one chunk may hold."""
    return " ".join(f"Sentence {number} " + f"counts {number} sheep " * 30 + "again." for number in range(count))


@fault(27, "20 chunks become 3", expected="exactly 3 points")
def test_a_text_that_shrinks_leaves_exactly_its_new_chunks(chain: Chain, seen: Seen) -> None:
    shrinking = "shrinking"
    with chain.running():
        writes = load(chain)
        writes.run(30)
        chain.put(post(shrinking, sentences(20)))
        chain.wait_until_quiet()
        before = len(chain.texts(post(shrinking, "")))
        chain.put(post(shrinking, sentences(3)))
        writes.run(30)
        chain.wait_until_quiet()

    after = len(chain.texts(post(shrinking, "")))
    verdict = chain.verdict()
    seen(f"{before} points became {after}, {verdict}, leftovers {leftovers(chain.features)}")
    assert (before, after) == (20, 3)
    assert verdict.exact
    assert leftovers(chain.features) == 0


SIGNS = ("The dog sleeps.", "The cat hunts.", "The goose swims.")


def signs(*left_out: str) -> Raw:
    parts = [f"## {sign}\n\n{sign} " + f"Whoever reads sign {at} goes on. " * 20 for at, sign in enumerate(SIGNS)]
    return article("signs", "\n\n".join(part for part in parts if not any(sign in part for sign in left_out)))


def sign_edits(chain: Chain) -> Iterator[None]:
    for left_out in [("goose",), (), ("goose", "cat"), ()]:
        chain.put(signs(*left_out))
        yield


@pytest.mark.parametrize("published", ["before the flow runs", "while it runs"])
@fault(30, "version 1 drops a chunk, version 2 brings it back, one epoch", expected="there, with its vector")
def test_a_chunk_that_was_dropped_and_came_back_is_there_with_its_vector(
    chain: Chain, seen: Seen, published: str
) -> None:
    with chain.running():
        writes = load(chain)
        writes.run(30)
        chain.put(signs())
        chain.wait_until_quiet()
    events = told(chain, sign_edits(chain))
    with ExitStack() as stack:
        if published == "while it runs":
            stack.enter_context(chain.running())
        for event in events:
            chain.publish(event)
        if published == "before the flow runs":  # so that one epoch takes them all
            stack.enter_context(chain.running())
        writes.run(30)
        chain.wait_until_quiet()

    right, count = vectors_right(chain, signs())
    verdict = chain.verdict()
    seen(f"{right} of {count} chunks with their vector, {verdict}, leftovers {leftovers(chain.features)}")
    assert (right, count) == (3, 3)
    assert verdict.exact
    assert leftovers(chain.features) == 0


def vectors_right(chain: Chain, document: Raw) -> tuple[int, int]:
    """Return how many of the document's stored chunks have the vector of their text, and how many there are."""
    vectors = chain.features.vectors_of([document.id])[document.id]
    payloads = [chunk.payload for chunk in chain.features.chunks(document.id)]
    texts = [Chunk(payload.text, payload.heading_path).embedded_text for payload in payloads]
    expected = HashingEmbedder().embed_documents(texts)
    pairs = zip((vectors[payload.text_hash] for payload in payloads), expected, strict=True)
    return sum(bool((stored == wanted).all()) for stored, wanted in pairs), len(payloads)


class Breaks:
    """Clean a post; one that says so makes it fail."""

    version: ClassVar[int] = 1

    def __call__(self, document: Raw) -> CleanDocument | Rejected:
        if "break" in document.text:
            message = "it said so"
            raise ZeroDivisionError(message)
        return CleanPost()(document)

    def __repr__(self) -> str:
        return "CleanPost()"


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        ("\u200b", RecordStatus.REJECTED, "nothing is left"),
        ("Please break.", RecordStatus.PARKED, "ZeroDivisionError: it said so"),
    ],
    ids=["rejected", "parked"],
)
@fault(34, "a version refused after one that was indexed", expected="old chunks gone, reason readable")
def test_a_version_that_is_refused_withdraws_the_one_before_it(
    chain: Chain, seen: Seen, text: str, status: RecordStatus, reason: str
) -> None:
    key = "refused"
    chain.registry = with_handler(build_registry(chain.embedder), DocumentType.POST, Stage.CLEAN, Breaks())
    with chain.running():
        writes = load(chain)
        writes.run(30)
        chain.put(post(key, "The lighthouse of Arvik has 99 steps."))
        chain.wait_until_quiet()
        before = len(chain.texts(post(key, "")))
        chain.put(post(key, text))
        writes.run(30)
        chain.wait_until_quiet()
        refused = chain.features.records([post(key, "").id])[post(key, "").id]
        left, found = len(chain.texts(post(key, ""))), chain.search("lighthouse of Arvik", 20)
        chain.put(post(key, "The lighthouse of Arvik has 100 steps."))
        chain.wait_until_quiet()

    verdict = chain.verdict()
    seen(f"{before} chunks, then {left}: {refused.reason!r}; written anew, {verdict}")
    assert (before, left) == (1, 0)
    assert all("lighthouse" not in hit.payload.text for hit in found)
    assert (refused.status, refused.stage, refused.text) == (status, Stage.CLEAN, None)
    assert reason in (refused.reason or "")
    assert chain.texts(post(key, "")) == ["The lighthouse of Arvik has 100 steps."]
    assert verdict.exact


def told_at(document: Raw, version: Version) -> DocumentChanged:
    return DocumentChanged(
        document_id=document.id,
        version=version,
        cause=Cause.LIVE,
        content_hash=content_hash(document),
        size=len(document.text),
        after=document,
    )


@fault(
    36, "a message that cannot be decoded, with headers and without", expected="a record; the bytes kept; flow alive"
)
def test_what_cannot_be_decoded_leaves_a_record_or_its_bytes(
    services: SqliteInstallation, chain: Chain, seen: Seen
) -> None:
    garbled = post("garbled", "The ferry to Skagen leaves at nine.")
    with chain.running():
        writes = load(chain)
        writes.run(30)
        chain.put(garbled)
        chain.wait_until_quiet()
        present = chain.features.records([garbled.id])[garbled.id].version
        event = told_at(garbled, present.model_copy(update={"increment": present.increment + 1}))
        headers, body = encode(event)
        queue = Queue(partition_of(garbled.id, chain.log.partitions), Lane.LIVE)
        services.publish_bytes(queue, headers.model_dump_json(), body[:-7])
        for unnamed in NAMELESS:
            services.publish_bytes(queue, unnamed, b"\xff\x00 no event " + unnamed.encode())
        writes.run(30)
        chain.wait_until_quiet()
        record = chain.features.records([garbled.id])[garbled.id]
        kept = {base64.b64decode(stored.record.body_base64) for stored in chain.records.find(UNREADABLE)}
        chain.resync()
        chain.wait_until_quiet()

    verdict = chain.verdict()
    seen(f"{record.status}: {record.reason!r}; {len(kept)} kept; after a resync {verdict}")
    assert (record.status, record.stage) == (RecordStatus.REJECTED, Stage.DECODE)
    assert "cannot be decoded" in (record.reason or "")
    assert kept == {b"\xff\x00 no event " + unnamed.encode() for unnamed in NAMELESS}
    assert verdict.exact
