"""Stores in memory that agree, until a test plants something; the audit and housekeeping look at them."""

import threading
from datetime import timedelta

from fakes.clock import SettableClock
from fakes.documents import InMemoryDocumentStore
from fakes.embedding import HashEmbedder
from fakes.features import InMemoryFeatureStore
from fakes.flow import NoLogger, post
from fakes.log import InMemoryEventLog
from fakes.records import InMemoryRecordStore
from twin_contracts.audit import AuditReport, AuditRequest
from twin_contracts.base import Digest, DocumentId
from twin_contracts.documents import DocumentType, Raw, content_hash
from twin_contracts.events import Version
from twin_contracts.records import (
    ChunkPayload,
    DocumentRecord,
    Metadata,
    RecordStatus,
    chunk_id_of,
    revision_of,
    text_hash_of,
)
from twin_contracts.reemission import Reemission
from twin_feature_stream.audit import Stores, audit
from twin_feature_stream.bootstrap import build_registry
from twin_feature_stream.housekeeping import Housekeeper, Patience
from twin_platform.documents.port import DocumentStore
from twin_platform.features.port import ApplyDocument, ApplySlice, EmbeddedChunk, FeatureStore
from twin_platform.log.port import EventLog
from twin_platform.records.audits import ask_audit, audit_report
from twin_platform.records.port import RecordStore
from twin_platform.records.positions import POSITIONS, SOURCE, FeedPosition
from twin_platform.records.reemissions import open_reemissions

EMBEDDER = HashEmbedder()
REGISTRY = build_registry(EMBEDDER)
METADATA = Metadata(type=DocumentType.POST, author="ada-sample", author_name="Ada Sample", platform="test")


class Audited:
    """Documents by name; `put` stores one and does what the flow does."""

    def __init__(
        self,
        documents: DocumentStore | None = None,
        records: RecordStore | None = None,
        features: FeatureStore | None = None,
        log: EventLog | None = None,
    ) -> None:
        self.clock = SettableClock()
        self.documents = documents or InMemoryDocumentStore(self.clock)
        self.records = records or InMemoryRecordStore()
        self.features = features or InMemoryFeatureStore()
        self.log = log or InMemoryEventLog()
        self.log.declare()
        self.stores = Stores(self.documents, self.records, self.log, self.features, self.clock)
        self.stop = threading.Event()

    def put(self, name: str, *texts: str) -> DocumentId:
        """Store a document and index it, a chunk per text."""
        document = self.store(name, *texts)
        self.features.apply([self.change(document, texts)])
        return document.id

    def store(self, name: str, *texts: str) -> Raw:
        """Store a document that nobody indexes."""
        document = post(name, "\n".join(texts))
        self.documents.upsert(document)
        return document

    def change(self, document: Raw, texts: tuple[str, ...], content: Digest | None = None) -> ApplyDocument:
        """Return the change that makes the document consist of these texts, at a version of its own."""
        version = self.version()
        content = content or content_hash(document)
        pipeline = REGISTRY.pipeline(DocumentType.POST)
        record = DocumentRecord(
            document_id=document.id,
            version=version,
            content_hash=content,
            pipeline=pipeline,
            revision=revision_of(content, pipeline),
            status=RecordStatus.INDEXED,
            chunks=len(texts),
            text=document.text,
            metadata=METADATA,
        )
        return ApplyDocument(record, chunks_of(record, texts))

    def slice(self, document: Raw, *texts: str) -> tuple[EmbeddedChunk, ...]:
        """Store chunks of a revision that no record names."""
        change = self.change(document, texts, content=text_hash_of("another content"))
        self.features.apply([ApplySlice(change.chunks)])
        return change.chunks

    def version(self) -> Version:
        """Return a version of the store that no write has."""
        return self.documents.read(()).version

    def capture(self) -> None:
        """Do what cdc does once everything is published."""
        token = self.documents.changes(None).position()
        self.records.put(POSITIONS, SOURCE, FeedPosition(token=token))

    def audit(self) -> AuditReport:
        """Audit while nothing is on its way."""
        self.capture()
        report = audit(self.stores, REGISTRY, AuditRequest.new("test", self.clock.now()), self.stop)
        assert report is not None
        return report

    def asked(self) -> list[Reemission]:
        """What was asked for again and is not done."""
        return open_reemissions(self.records)

    def stored(self) -> set[str]:
        """The ids of every chunk point."""
        return {mark.id for mark in self.features.chunk_marks()}

    def housekeeper(self) -> Housekeeper:
        """Return a housekeeper whose clock a test turns."""
        return Housekeeper(self.stores, REGISTRY, NoLogger(), Patience())

    def audited(self, housekeeper: Housekeeper) -> AuditReport:
        """Ask for an audit and have it carried out."""
        self.capture()
        asked = ask_audit(self.records, self.clock, "test")
        housekeeper.look(self.stop)
        report = audit_report(self.records, asked.id)
        assert report is not None
        return report

    def pass_time(self, by: timedelta, housekeeper: Housekeeper) -> None:
        """Let time pass and the housekeeper look once."""
        self.clock.turn(by)
        self.capture()
        housekeeper.look(self.stop)


def chunks_of(record: DocumentRecord, texts: tuple[str, ...]) -> tuple[EmbeddedChunk, ...]:
    """Return the chunks that the record names."""
    vectors = EMBEDDER.embed_documents(list(texts))
    return tuple(
        EmbeddedChunk(
            chunk_id_of(record.document_id, record.revision or "", text_hash_of(text), texts[:position].count(text)),
            ChunkPayload(
                document_id=record.document_id,
                version=record.version,
                revision=record.revision or "",
                text_hash=text_hash_of(text),
                position=position,
                text=text,
                metadata=METADATA,
            ),
            vectors[position],
        )
        for position, text in enumerate(texts)
    )
