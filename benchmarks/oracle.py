"""The oracle of docs: when the system is quiet, ledger, store, records and what readers see are one."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.ledger import Held, Ledger
from twin_contracts.base import Digest, DocumentId
from twin_contracts.embedding import EmbeddingSpec
from twin_contracts.queues import DEFAULT_PARTITIONS
from twin_contracts.records import DocumentRecord, RecordStatus
from twin_platform.documents.open import open_document_store
from twin_platform.documents.port import DocumentStore
from twin_platform.features.open import open_feature_store
from twin_platform.features.port import FeatureStore, StoredChunk
from twin_platform.telemetry.clock import SystemClock

PAGE = 500


@dataclass(frozen=True)
class Verdict:
    """Counts of what should not be; all zero is the promise kept. The last two are told beside it."""

    lost: int
    """Acknowledged documents without a record of their content, or with chunks missing."""
    stale: int
    """Records of other content than the store's."""
    orphans: int
    """Stored chunks that a reader could see and that belong to no record in force, or twice to one."""
    unexpected: int
    """Documents in store or snapshot that the ledger does not know, deleted ones among them."""
    parked: int = field(default=0, compare=False)
    """Records that are parked."""
    duplicates: int = field(default=0, compare=False)
    """Events published more than once for one change: redeliveries, which are no failure."""

    @property
    def exact(self) -> bool:
        """Return whether nothing is wrong."""
        return self == Verdict(0, 0, 0, 0)

    def __str__(self) -> str:
        """Return the counts as the fault table shows them."""
        wrong = f"lost {self.lost}, stale {self.stale}, orphans {self.orphans}, unexpected {self.unexpected}"
        return f"{wrong}, parked {self.parked}; {self.duplicates} duplicates"


def judge(
    ledger: Ledger | Mapping[DocumentId, Held], documents: DocumentStore, features: FeatureStore, duplicates: int = 0
) -> Verdict:
    """Compare the ledger of acknowledged writes with store and snapshots.

    Args:
        ledger: or id -> content hash of the last acknowledged write, None for an acknowledged delete.
        documents: the store, quiet.
        features: the snapshots, quiet.
        duplicates: as the log's reader counted them; only told.
    """
    stored = hashes_of(documents)
    settled = ledger.settled(stored) if isinstance(ledger, Ledger) else ledger
    present = {document_id: held for document_id, held in settled.items() if held is not None}
    records = {record.document_id: record for record in features.find_records(with_text=False)}
    alive = {key: record for key, record in records.items() if record.status is not RecordStatus.DELETED}
    visible = _visible_chunks(features, records)
    lost = [key for key in present if key not in stored or not _is_whole(alive.get(key), visible[key])]
    stale = [key for key, held in present.items() if key in alive and alive[key].content_hash != held]
    stale += [key for key, held in present.items() if key in stored and stored[key] != held]
    unexpected = (set(stored) | set(alive)) - set(present)
    orphans = sum(
        positions.total() if key not in present else positions.total() - len(positions)
        for key, positions in visible.items()
    )
    parked = sum(record.status is RecordStatus.PARKED for record in alive.values())
    return Verdict(len(lost), len(set(stale)), orphans, len(unexpected), parked, duplicates)


def leftovers(features: FeatureStore) -> int:
    """Return how many stored chunks belong to no record in force: after an audit 0, tombstones have none."""
    records = {record.document_id: record for record in features.find_records(with_text=False)}
    return sum(not _in_force(chunk, records) for chunk in features.chunks())


def judge_folder(data: Path, ledger: Ledger | Mapping[DocumentId, Held], spec: EmbeddingSpec) -> Verdict:
    """Judge a data folder that nobody owns at this moment."""
    with (
        open_document_store(f"sqlite://{data}/documents.db", SystemClock()) as documents,
        open_feature_store(f"edge://{data}/vectors", spec, DEFAULT_PARTITIONS) as features,
    ):
        return judge(ledger, documents, features)


def hashes_of(documents: DocumentStore) -> dict[DocumentId, Digest]:
    """Return the content hash of every stored document."""
    found: dict[DocumentId, Digest] = {}
    while page := documents.hashes(max(found, default=None), PAGE):
        found.update(page)
    return found


def _visible_chunks(
    features: FeatureStore, records: Mapping[DocumentId, DocumentRecord]
) -> defaultdict[DocumentId, Counter[int]]:
    """Return the positions of each document's chunks that readers see: those of the revision in force."""
    visible: defaultdict[DocumentId, Counter[int]] = defaultdict(Counter)
    for chunk in features.chunks():
        if _in_force(chunk, records):
            visible[chunk.payload.document_id][chunk.payload.position] += 1
    return visible


def _in_force(chunk: StoredChunk, records: Mapping[DocumentId, DocumentRecord]) -> bool:
    record = records.get(chunk.payload.document_id)
    return record is not None and record.status is RecordStatus.INDEXED and record.revision == chunk.payload.revision


def _is_whole(record: DocumentRecord | None, positions: Counter[int]) -> bool:
    if record is None:
        return False
    return record.status is not RecordStatus.INDEXED or set(positions) == set(range(record.chunks))
