"""The REST API alone in one process, over stores filled with made-up chunks: what `benchmarks.api` asks.

No flow and no cdc run beside it, so that the figures are the API's. Texts are words drawn as natural ones are, seldom
and often; vectors are drawn by chance, so the nearest ones are not near, which costs a search the same.
"""

import random
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import uvicorn

from benchmarks.texts import CORPUS
from twin_contracts.documents import AuthorRef, DocumentType
from twin_contracts.events import Version
from twin_contracts.queues import DEFAULT_PARTITIONS
from twin_contracts.records import (
    ChunkPayload,
    DocumentRecord,
    Metadata,
    RecordStatus,
    chunk_id_of,
    revision_of,
    text_hash_of,
)
from twin_platform.documents.open import open_document_store
from twin_platform.embedding.open import EmbeddingSettings, open_embedder
from twin_platform.features.open import open_feature_store
from twin_platform.features.port import ApplyDocument, EmbeddedChunk, FeatureStore
from twin_platform.log.open import open_event_log
from twin_platform.reading.open import open_reader
from twin_platform.records.open import open_record_store
from twin_platform.telemetry.clock import SystemClock
from twin_rag_api.adapters.open_model import ModelSettings, open_model
from twin_rag_api.bootstrap import Parts, build_api

CHUNKS = 20_000
CHUNKS_A_DOCUMENT = 10
WORDS_A_CHUNK = 130
"""About 195 tokens."""
AT_ONCE = 50

OWNER = AuthorRef(id="ada", name="Ada")


def vocabulary() -> list[str]:
    """Return the words of the corpus, each as often as it stands there."""
    return [word for path in sorted(CORPUS.iterdir()) for word in path.read_text("utf-8").split() if word.isalpha()]


def made_up_documents() -> Iterator[ApplyDocument]:
    """Yield documents in force, the same in every run."""
    words, chance = vocabulary(), random.Random(1)  # noqa: S311 - not for secrets
    numbers = np.random.default_rng(1)
    pipeline = text_hash_of("benchmark")
    metadata = Metadata(type=DocumentType.ARTICLE, author=OWNER.id, author_name=OWNER.name, platform="bench")
    for number in range(CHUNKS // CHUNKS_A_DOCUMENT):
        texts = [" ".join(chance.choices(words, k=WORDS_A_CHUNK)) + "." for _ in range(CHUNKS_A_DOCUMENT)]
        digest = text_hash_of("\n\n".join(texts))
        record = DocumentRecord(
            document_id=f"00000000-0000-4000-8000-{number:012x}",
            version=Version(seconds=1, increment=number),
            content_hash=digest,
            pipeline=pipeline,
            revision=revision_of(digest, pipeline),
            status=RecordStatus.INDEXED,
            chunks=len(texts),
            text="\n\n".join(texts),
            metadata=metadata.model_copy(update={"title": f"Document {number}"}),
        )
        vectors = numbers.standard_normal((len(texts), 384)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        yield ApplyDocument(record, tuple(_chunk(record, at, text, vectors[at]) for at, text in enumerate(texts)))


def _chunk(record: DocumentRecord, position: int, text: str, vector: np.ndarray) -> EmbeddedChunk:
    payload = ChunkPayload(
        document_id=record.document_id,
        version=record.version,
        revision=record.revision or "",
        text_hash=text_hash_of(text),
        position=position,
        text=text,
        metadata=record.metadata or Metadata(type=DocumentType.ARTICLE, author="", author_name="", platform=""),
    )
    return EmbeddedChunk(chunk_id_of(record.document_id, payload.revision, payload.text_hash, 0), payload, vector)


def fill(features: FeatureStore) -> None:
    """Store all of them."""
    documents = list(made_up_documents())
    for start in range(0, len(documents), AT_ONCE):
        features.apply(documents[start : start + AT_ONCE])
    features.flush()
    features.optimize()


def main() -> int:
    """Fill the folder, then serve until a signal."""
    folder, key, llm_url, port = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    clock = SystemClock()
    embedder = open_embedder(EmbeddingSettings(), print)
    with ExitStack() as opened:
        features = opened.enter_context(open_feature_store(f"edge://{folder}/vectors", embedder.spec))
        fill(features)
        parts = Parts(
            documents=opened.enter_context(open_document_store(f"sqlite://{folder}/documents.db", clock)),
            records=opened.enter_context(open_record_store(f"sqlite://{folder}/records.db")),
            features=features,
            embedder=embedder,
            reader=open_reader(EmbeddingSettings(), print),
            log=opened.enter_context(open_event_log(f"sqlite://{folder}/log.db", DEFAULT_PARTITIONS)),
            clock=clock,
            default_author=lambda: OWNER,
            components=tuple,
            listen=features.listen,
            captured=lambda: True,
            seconds_to_searchable=lambda: None,
            model=open_model(ModelSettings(url=llm_url), print),
        )
        uvicorn.run(build_api(parts, key), port=port, log_level="error", access_log=False, lifespan="off")
    return 0


if __name__ == "__main__":
    sys.exit(main())
