"""Ingest rate of the whole chain, beside the bare embedder on the same chunks in the same run.

The chain is `twin up` as a person runs it: documents come in over HTTP, are stored, captured, logged, cleaned, chunked,
embedded and committed to both snapshots. Timed from the first request to the last document's `indexed`. Beside it, the
embedder alone, with nothing else running, embeds exactly the texts that the chain embedded, all at once; chain and
embedder take turns, since a machine's speed drifts, and each round gives a ratio.
"""

import statistics
import sys
import time

from benchmarks.report import Row, report
from benchmarks.system import running_system
from benchmarks.texts import source
from twin_cli.client import Client
from twin_cli.import_documents import import_documents
from twin_cli.inputs import read_inputs
from twin_contracts.embedding import MINILM
from twin_contracts.queues import DEFAULT_PARTITIONS
from twin_feature_stream.ports import Chunk
from twin_platform.embedding.open import EmbeddingSettings, open_embedder
from twin_platform.embedding.port import Embedder
from twin_platform.features.open import open_feature_store

ROUNDS = 3
GOAL = 0.9


def ingest() -> tuple[float, list[str]]:
    """Run the chain once over the texts; return its seconds and what it embedded."""
    with running_system() as system:
        inputs = list(read_inputs([source()], author=None))
        client = Client(lambda: (system.url, system.key))
        began = time.perf_counter()
        result = import_documents(inputs, client, lambda _: None, lambda _: None)
        seconds = time.perf_counter() - began
        client.close()
        if result.refused:
            message = f"refused: {result.refused}"
            raise RuntimeError(message)
        system.stop()
        with open_feature_store(f"edge://{system.data}/vectors", MINILM, DEFAULT_PARTITIONS) as features:
            chunks = {
                (chunk.payload.document_id, chunk.payload.text_hash): Chunk(
                    chunk.payload.text, chunk.payload.heading_path
                ).embedded_text
                for chunk in features.chunks()
            }
    return seconds, list(chunks.values())


def embed(embedder: Embedder, texts: list[str]) -> float:
    """Return the seconds that the embedder alone takes for these texts."""
    began = time.perf_counter()
    embedder.embed_documents(texts)
    return time.perf_counter() - began


def main() -> int:
    """Measure, print and write the result."""
    embedder = open_embedder(EmbeddingSettings(), print)
    chains: list[float] = []
    bares: list[float] = []
    texts: list[str] = []
    for _ in range(ROUNDS):
        seconds, texts = ingest()
        chains.append(len(texts) / seconds)
        bares.append(len(texts) / embed(embedder, texts))
    ratio = statistics.median(chain / bare for chain, bare in zip(chains, bares, strict=True))
    print(f"{len(texts)} chunks, {ROUNDS} rounds; chain {chains}, embedder alone {bares} chunks/s")
    report(
        "ingest",
        [
            Row("embedder alone, same chunks", statistics.median(bares), "chunks/s"),
            Row(
                "whole chain",
                statistics.median(chains),
                "chunks/s",
                against="embedder alone, same chunks",
                ratio=ratio,
                goal=f">= {GOAL}",
                met=ratio >= GOAL,
            ),
        ],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
