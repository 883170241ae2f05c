"""The audit on real stores: whatever is planted, after one audit documents, records and stored chunks are exact."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.oracle import leftovers
from fakes.audited import chunks_of
from fakes.chain import Chain
from fakes.flow import article, post
from twin_contracts.documents import Raw, document_id_of
from twin_contracts.events import ZERO, Version
from twin_contracts.records import DocumentRecord, RecordStatus, text_hash_of
from twin_platform.features.engine import Alias, Delete, HasId, Point, PointEngine, Upsert, UpTo
from twin_platform.features.port import ApplyDocument, EmbeddedChunk

LATER = Version(seconds=9_000_000_000, increment=0)


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """Thirty documents that are whole; nothing runs."""
    with Chain(tmp_path).opened() as chain:
        with chain.running():
            for number in range(29):
                chain.put(post(f"post-{number}", f"Post number {number} is about the mill by the river."))
            chain.put(article("essay", "\n\n".join(f"## Part {n}\n\nThe barn of {n} was red." for n in range(9))))
            chain.wait_until_quiet()
        yield chain


class Planted:
    """Damage below the feature store, which would not do it."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._engine: PointEngine = chain.features._engine

    def chunk_without_record(self) -> None:
        self._write(self._chunks(post("never stored", "x"), "of a document that nobody knows", self._now()))

    def chunk_older_than_its_record(self) -> None:
        self._write(self._chunks(post("post-1", "x"), "of an earlier revision", ZERO))

    def older_chunk_of_the_revision_in_force(self) -> None:
        [chunk] = self._chain.features.chunks(document_id_of("post-2"))
        payload = chunk.payload.model_copy(update={"version": ZERO, "text_hash": text_hash_of("twice")})
        vector = self._chain.embedder.embed_query("twice")
        self._write((EmbeddedChunk(document_id_of("a chunk too many"), payload, vector),))

    def chunk_of_another_revision(self) -> None:
        self._write(self._chunks(post("post-3", "x"), "of a revision that never came", self._now()))

    def record_without_document(self) -> None:
        record = self._record(post("post-4", "x")).model_copy(update={"document_id": document_id_of("nowhere")})
        self._chain.features.apply([ApplyDocument(record.model_copy(update={"version": self._now()}))])

    def document_without_record(self) -> None:
        self._engine.write(Alias.DOCUMENTS, [Delete((HasId((document_id_of("post-5"),)),))])

    def record_with_a_chunk_missing(self) -> None:
        mark = next(self._chain.features.chunk_marks([document_id_of("essay")]))
        self._chain.features.remove_chunks([mark.id], mark.version)

    def record_of_other_content(self) -> None:
        record = self._record(post("post-6", "x")).model_copy(update={"content_hash": text_hash_of("other")})
        self._chain.features.apply([ApplyDocument(record.model_copy(update={"version": self._now()}))])

    def tombstone_of_a_document(self) -> None:
        tombstone = DocumentRecord.tombstone(document_id_of("post-7"), self._now())
        self._chain.features.apply([ApplyDocument(tombstone)])

    def record_newer_than_the_store(self) -> None:
        record = self._record(post("post-8", "x")).model_copy(update={"content_hash": text_hash_of("other")})
        self._chain.features.apply([ApplyDocument(record.model_copy(update={"version": LATER}))])

    def _record(self, document: Raw) -> DocumentRecord:
        return self._chain.features.records([document.id])[document.id]

    def _chunks(self, document: Raw, text: str, version: Version) -> tuple[EmbeddedChunk, ...]:
        record = DocumentRecord(
            document_id=document.id,
            version=version,
            revision=text_hash_of("revision"),
            status=RecordStatus.INDEXED,
            chunks=1,
        )
        return chunks_of(record, (text,))

    def _write(self, chunks: tuple[EmbeddedChunk, ...]) -> None:
        points = tuple(
            Point(chunk.id, chunk.payload.model_dump(mode="json"), chunk.vector, chunk.payload.text) for chunk in chunks
        )
        self._engine.write(Alias.CHUNKS_PROSE, [Upsert(points, (UpTo(LATER),))])

    def _now(self) -> Version:
        return self._chain.documents.read(()).version


DAMAGES = [name for name in vars(Planted) if not name.startswith("_")]


def test_where_nothing_is_planted_nothing_is_found(chain: Chain) -> None:
    with chain.running():
        report = chain.audit()

    assert report.exact
    assert (report.counts.documents, report.counts.records) == (30, 30)
    assert report.counts.chunks == chain.features.count_chunks()


def test_after_one_audit_everything_planted_is_repaired_and_stored_points_are_exact(chain: Chain) -> None:
    for damage in DAMAGES:
        getattr(Planted(chain), damage)()
    before = chain.verdict()

    with chain.running():
        report = chain.audit()
        chain.wait_until_quiet()

    counts = report.counts
    assert not before.exact
    assert (counts.missing, counts.stale, counts.unexpected, counts.incomplete, counts.orphaned) == (2, 2, 1, 1, 2)
    assert (report.chunks_removed, report.chunks_watched, report.asked_again) == (2, 3, 8)
    assert chain.verdict().exact
    assert leftovers(chain.features) == 0
    with chain.running():
        assert chain.audit().exact


def test_an_audit_while_documents_keep_coming_reports_none_of_them(chain: Chain) -> None:
    with chain.running():
        for number in range(200):
            chain.put(post(f"late-{number}", f"Late text {number} comes while the audit looks."))
        report = chain.audit()
        chain.wait_until_quiet()

    assert report.counts.differing == 0
    assert (report.asked_again, report.chunks_removed) == (0, 0)
    assert chain.verdict().exact
