"""The REST API over stores in memory; a test plays the flow by calling `index`."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import cast

from fastapi import FastAPI
from starlette.testclient import TestClient

from fakes.clock import SettableClock
from fakes.documents import InMemoryDocumentStore
from fakes.embedding import HashEmbedder
from fakes.features import InMemoryFeatureStore
from fakes.log import InMemoryEventLog
from fakes.records import InMemoryRecordStore
from twin_contracts.documents import AuthorRef, Raw, content_hash, title_of
from twin_contracts.events import Version
from twin_contracts.http import ComponentStatus
from twin_contracts.records import (
    ChunkPayload,
    DocumentRecord,
    Metadata,
    RecordStatus,
    Stage,
    chunk_id_of,
    revision_of,
    text_hash_of,
)
from twin_platform.features.port import ApplyDocument, EmbeddedChunk
from twin_platform.reading.words import WordReader
from twin_rag_api.bootstrap import Parts, build_api
from twin_rag_api.ports import LanguageModel

KEY = "the-key"
HEADERS = {"Authorization": f"Bearer {KEY}"}
OWNER = AuthorRef(id="olga-owner", name="Olga Owner")
PIPELINE = text_hash_of("pipeline")
READY = ComponentStatus(name="cdc", state="ready")


class Standing:
    """Stands for a part of the API that each test brings anew."""

    def __init__(self, present: object) -> None:
        self.present = present

    def __getattr__(self, name: str) -> object:
        return getattr(self.present, name)

    def __call__(self) -> object:
        return cast("Callable[[], object]", self.present)()


class SharedApp:
    """One API for all tests of this process: making its routes takes longer than most tests."""

    def __init__(self, parts: Parts) -> None:
        self._standing = {
            field.name: Standing(part) for field in fields(Parts) if (part := getattr(parts, field.name)) is not None
        }
        self._app = build_api(replace(parts, **self._standing), KEY)  # type: ignore[arg-type]

    def of(self, parts: Parts) -> FastAPI:
        """Return it, made of these parts from now on."""
        for name, standing in self._standing.items():
            standing.present = getattr(parts, name)
        self._app.state.stopping = False
        return self._app


_shared: dict[bool, SharedApp] = {}
"""With a language model, and without."""


def app_of(parts: Parts) -> FastAPI:
    """Return the shared API, made of these parts from now on."""
    has_model = parts.model is not None
    if has_model not in _shared:
        _shared[has_model] = SharedApp(parts)
    return _shared[has_model].of(parts)


class Api:
    """`client` sends the key; `documents` and `features` are what the API reads and writes.

    One at a time: the next one takes the shared app over.
    """

    def __init__(self) -> None:
        self.clock = SettableClock()
        self.documents = InMemoryDocumentStore(self.clock)
        self.features = InMemoryFeatureStore()
        self.records = InMemoryRecordStore()
        self.log = InMemoryEventLog()
        self.embedder = HashEmbedder()
        self.components: tuple[ComponentStatus, ...] = (READY,)
        self.captured = True
        self.parts = Parts(
            documents=self.documents,
            records=self.records,
            features=self.features,
            embedder=self.embedder,
            reader=WordReader(),
            log=self.log,
            clock=self.clock,
            default_author=lambda: OWNER,
            components=lambda: self.components,
            listen=self.features.listen,
            captured=lambda: self.captured,
            seconds_to_searchable=lambda: 0.25,
        )
        self.client = self.client_of(self.parts)
        self._versions = 0

    def client_of(self, parts: Parts) -> TestClient:
        """Return a client of the API made of these parts."""
        return TestClient(app_of(parts), headers=HEADERS)

    def use(self, model: LanguageModel) -> None:
        """Let `client` ask this language model from now on."""
        self.parts = replace(self.parts, model=model)
        self.client = self.client_of(self.parts)

    def index(self, document: Raw) -> None:
        """Store the document and do what the flow does: a chunk per paragraph, then the record."""
        self.documents.upsert(document)
        self.features.apply([self.change(document)])

    def change(self, document: Raw) -> ApplyDocument:
        """Return the change by which the flow would make this revision the one in force."""
        texts = document.text.split("\n\n")
        record = self._record(document, RecordStatus.INDEXED, chunks=len(texts))
        metadata = _metadata(document)
        record = record.model_copy(update={"text": document.text, "metadata": metadata})
        vectors = self.embedder.embed_documents(texts)
        chunks = []
        for position, text in enumerate(texts):
            payload = ChunkPayload(
                document_id=document.id,
                version=record.version,
                revision=record.revision or "",
                text_hash=text_hash_of(text),
                position=position,
                text=text,
                metadata=metadata,
            )
            identity = chunk_id_of(document.id, payload.revision, payload.text_hash, position)
            chunks.append(EmbeddedChunk(identity, payload, vectors[position]))
        return ApplyDocument(record, tuple(chunks))

    def refuse(self, document: Raw, reason: str) -> None:
        """Do what the flow does with a document that a stage refuses."""
        record = self._record(document, RecordStatus.REJECTED)
        record = record.model_copy(update={"stage": Stage.CLEAN, "reason": reason, "metadata": _metadata(document)})
        self.features.apply([ApplyDocument(record)])

    def forget(self, document: Raw) -> None:
        """Do what the flow does with a deletion."""
        self.features.apply([ApplyDocument(DocumentRecord.tombstone(document.id, self._next()))])

    def _record(self, document: Raw, status: RecordStatus, chunks: int = 0) -> DocumentRecord:
        digest = content_hash(document)
        return DocumentRecord(
            document_id=document.id,
            version=self._next(),
            content_hash=digest,
            pipeline=PIPELINE,
            revision=revision_of(digest, PIPELINE),
            status=status,
            chunks=chunks,
        )

    def _next(self) -> Version:
        self._versions += 1
        return Version(seconds=self._versions, increment=0)


def _metadata(document: Raw) -> Metadata:
    return Metadata(
        type=document.type,
        author=document.author.id,
        author_name=document.author.name,
        platform=document.source.platform,
        title=title_of(document),
        url=document.source.url,
    )
