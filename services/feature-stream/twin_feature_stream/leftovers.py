"""Chunks that no record names: removed where they are older than it, watched where they may still become somebody's."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from twin_contracts.base import Contract, DocumentId, Instant
from twin_contracts.events import Version
from twin_contracts.records import DocumentRecord
from twin_feature_stream.compare import PAGE, is_in_force, pages
from twin_platform.features.port import ChunkMark, FeatureStore
from twin_platform.records.port import Collection, RecordStore
from twin_platform.telemetry.clock import Clock

WATCHED_FOR = timedelta(hours=1)
"""How long a chunk stays nobody's before it is removed: longer than any writer takes from its chunks to its record."""

MOST_WATCHED = 10_000
"""Chunks remembered at a time; a later audit sees the others again."""


class Suspect(Contract):
    """A chunk that no record names and that is not older than its document's record."""

    id: str
    document_id: DocumentId
    version: Version
    """As it was seen; a chunk that was written again since is another one."""
    seen_at: Instant
    audit_id: DocumentId
    """Whose report is told of the removal."""


class Suspects(Contract):
    """What is watched, as one record."""

    chunks: tuple[Suspect, ...] = ()


SUSPECTS = Collection("audit-suspects", Suspects)
_KEY = "suspects"


@dataclass
class Leftovers:
    """Judges chunks by their records. Deletes only what is stored in the version that was seen."""

    features: FeatureStore
    records: RecordStore
    clock: Clock
    removed: int = 0
    found: dict[str, ChunkMark] = field(default_factory=dict)
    """Chunks that no record names, by id."""

    def judge(self, page: list[ChunkMark]) -> None:
        """Remove those older than their record, and note in `found` those that no record names otherwise."""
        records = self.features.records(sorted({chunk.document_id for chunk in page}), with_text=False)
        older: list[ChunkMark] = []
        twice: set[DocumentId] = set()
        for chunk in page:
            record = records.get(chunk.document_id)
            if is_in_force(chunk, record):
                twice |= {chunk.document_id} if _is_older(chunk, record) else set()
            elif _is_older(chunk, record):
                older.append(chunk)
            elif len(self.found) < MOST_WATCHED:
                self.found[chunk.id] = chunk
        self.remove([*older, *self._surplus(sorted(twice))])

    def look_again(self) -> set[DocumentId]:
        """Keep of `found` what is stored unchanged and still nobody's; return whose documents that was."""
        still = list(self._still(list(self.found.values())))
        self.remove(chunk for chunk, record in still if _is_older(chunk, record))
        self.found = {chunk.id: chunk for chunk, record in still if not _is_older(chunk, record)}
        return {chunk.document_id for chunk in self.found.values()}

    def remove(self, chunks: Iterable[ChunkMark]) -> None:
        """Delete them, each unless it is newer than it was seen."""
        by_version: dict[Version, list[str]] = {}
        for chunk in chunks:
            by_version.setdefault(chunk.version, []).append(chunk.id)
        for version, ids in by_version.items():
            self.features.remove_chunks(ids, up_to=version)
            self.removed += len(ids)

    def watch(self, audit_id: DocumentId) -> None:
        """Remember `found`; one that was remembered before keeps the moment when it was seen first."""
        before = {(one.id, one.version): one for one in watched(self.records)}
        now = self.clock.now()
        put_watched(
            self.records,
            [
                before.get((chunk.id, chunk.version))
                or Suspect(
                    id=chunk.id,
                    document_id=chunk.document_id,
                    version=chunk.version,
                    seen_at=now,
                    audit_id=audit_id,
                )
                for chunk in self.found.values()
            ],
        )

    def remove_watched(self, suspects: Iterable[Suspect]) -> None:
        """Remove those of the suspects that are still stored as they were seen, and still nobody's."""
        seen = [ChunkMark(one.id, one.document_id, one.version, "") for one in suspects]
        for page in pages(self._still(seen)):
            self.remove(chunk for chunk, _ in page)

    def _surplus(self, ids: Sequence[DocumentId]) -> Iterator[ChunkMark]:
        """Yield chunks of a revision in force that are older than its record, which has all of its own without them."""
        marks = list(self.features.chunk_marks(ids)) if ids else []
        for document_id, record in self.features.records(ids, with_text=False).items():
            named = [mark for mark in marks if mark.document_id == document_id and is_in_force(mark, record)]
            older = [mark for mark in named if _is_older(mark, record)]
            if len(named) - len(older) == record.chunks:
                yield from older

    def _still(self, chunks: Sequence[ChunkMark]) -> Iterator[tuple[ChunkMark, DocumentRecord | None]]:
        seen = {(chunk.id, chunk.version) for chunk in chunks}
        documents = sorted({chunk.document_id for chunk in chunks})
        for ids in pages(documents, PAGE):
            # the chunks first: a record that is committed in between names chunks that were written before it
            marks = [mark for mark in self.features.chunk_marks(ids) if (mark.id, mark.version) in seen]
            records = self.features.records(ids, with_text=False)
            judged = ((mark, records.get(mark.document_id)) for mark in marks)
            yield from ((mark, record) for mark, record in judged if not is_in_force(mark, record))


def _is_older(chunk: ChunkMark, record: DocumentRecord | None) -> bool:
    return record is not None and chunk.version < record.version


def watched(records: RecordStore) -> tuple[Suspect, ...]:
    """Return what is remembered."""
    stored = records.get(SUSPECTS, _KEY)
    return stored.record.chunks if stored else ()


def put_watched(records: RecordStore, suspects: Iterable[Suspect]) -> None:
    """Replace what is remembered."""
    chunks = tuple(suspects)
    if chunks:
        records.put(SUSPECTS, _KEY, Suspects(chunks=chunks))
    else:
        records.delete(SUSPECTS, _KEY)
