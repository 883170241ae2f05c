"""The oracle of docs: when the system is quiet, ledger, store, records and what readers see are one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from twin_contracts.base import Digest, DocumentId
from twin_contracts.embedding import EmbeddingSpec
from twin_contracts.queues import DEFAULT_PARTITIONS
from twin_contracts.records import DocumentRecord, RecordStatus
from twin_platform.documents.open import open_document_store
from twin_platform.documents.port import DocumentStore
from twin_platform.features.open import open_feature_store
from twin_platform.features.port import FeatureStore
from twin_platform.telemetry.clock import SystemClock

PAGE = 500


@dataclass(frozen=True)
class Verdict:
    """Counts of what should not be; all zero is the promise kept."""

    lost: int
    """Acknowledged documents without a record of their content, or with chunks missing."""
    stale: int
    """Records of other content than the store's."""
    orphans: int
    """Stored chunks that a reader could see and that belong to no record in force."""
    unexpected: int
    """Documents in store or snapshot that the ledger does not know."""

    @property
    def exact(self) -> bool:
        """Return whether nothing is wrong."""
        return self == Verdict(0, 0, 0, 0)


def judge(ledger: Mapping[DocumentId, Digest | None], documents: DocumentStore, features: FeatureStore) -> Verdict:
    """Compare the ledger of acknowledged writes with store and snapshots.

    Args:
        ledger: id -> content hash of the last acknowledged write, None for an acknowledged delete.
        documents: the store, quiet.
        features: the snapshots, quiet.
    """
    present = {document_id: digest for document_id, digest in ledger.items() if digest is not None}
    stored = _hashes(documents)
    records = {record.document_id: record for record in features.find_records()}
    alive = {key: record for key, record in records.items() if record.status is not RecordStatus.DELETED}
    visible = _visible_chunks(features, records)
    lost = [key for key in present if key not in stored or not _is_whole(alive.get(key), visible.get(key, set()))]
    stale = [key for key, digest in present.items() if key in alive and alive[key].content_hash != digest]
    stale += [key for key, digest in present.items() if key in stored and stored[key] != digest]
    unexpected = (set(stored) | set(alive)) - set(present)
    orphans = sum(len(positions) for key, positions in visible.items() if key not in present)
    return Verdict(len(lost), len(set(stale)), orphans, len(unexpected))


def judge_folder(data: Path, ledger: Mapping[DocumentId, Digest | None], spec: EmbeddingSpec) -> Verdict:
    """Judge a data folder that nobody owns at this moment."""
    with (
        open_document_store(f"sqlite://{data}/documents.db", SystemClock()) as documents,
        open_feature_store(f"edge://{data}/vectors", spec, DEFAULT_PARTITIONS) as features,
    ):
        return judge(ledger, documents, features)


def _hashes(documents: DocumentStore) -> dict[DocumentId, Digest]:
    found: dict[DocumentId, Digest] = {}
    while page := documents.hashes(max(found, default=None), PAGE):
        found.update(page)
    return found


def _visible_chunks(features: FeatureStore, records: Mapping[DocumentId, DocumentRecord]) -> dict[DocumentId, set[int]]:
    """Return the positions of each document's chunks that readers see: those of the revision in force."""
    visible: dict[DocumentId, set[int]] = {}
    for chunk in features.chunks():
        record = records.get(chunk.payload.document_id)
        if record and record.status is RecordStatus.INDEXED and record.revision == chunk.payload.revision:
            visible.setdefault(chunk.payload.document_id, set()).add(chunk.payload.position)
    return visible


def _is_whole(record: DocumentRecord | None, positions: set[int]) -> bool:
    if record is None:
        return False
    return record.status is not RecordStatus.INDEXED or positions == set(range(record.chunks))
