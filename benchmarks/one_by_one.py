"""What the flow and the publisher replace: a connection per message; `basic_get`, and an upsert per item."""

import time
from collections.abc import Sequence
from pathlib import Path

import pika

from benchmarks.free_embedder import FreeEmbedder
from twin_contracts.events import DocumentChanged
from twin_contracts.queues import EXCHANGE, Lane, Queue, queues_of
from twin_feature_stream.bootstrap import build_registry
from twin_feature_stream.decode import redeem
from twin_feature_stream.prepare import State, prepare
from twin_feature_stream.registry import HandlerRegistry
from twin_platform.embedding.port import never
from twin_platform.features.edge import EdgeEngine
from twin_platform.features.engine import Alias, Point, Upsert, alias_of
from twin_platform.log.codec import decode, encode

_PERSISTENT = 2


def published(url: str, queue: Queue, events: Sequence[DocumentChanged]) -> float:
    """Publish each event, persistent and confirmed, on a connection of its own; return events a second."""
    parameters = pika.URLParameters(url)
    persistent = pika.BasicProperties(delivery_mode=_PERSISTENT)  # type: ignore[no-untyped-call]  # pika has no types
    began = time.perf_counter()
    for event in events:
        with pika.BlockingConnection(parameters) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.basic_publish(EXCHANGE, queue.routing_key, encode(event)[1], persistent, mandatory=True)
    return len(events) / (time.perf_counter() - began)


def taken(url: str, folder: Path, partitions: int) -> float:
    """Take every live event by `basic_get`, and write it into a vector store of its own; return events a second."""
    embedder = FreeEmbedder()
    registry = build_registry(embedder)
    engine = EdgeEngine(folder, embedder.spec)
    done, began = 0, time.perf_counter()
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        for queue in (queue for queue in queues_of(partitions) if queue.lane is Lane.LIVE):
            while (got := channel.basic_get(queue.name))[0] is not None:
                event = decode(got[2] or b"")
                if not isinstance(event, DocumentChanged):
                    raise TypeError(event)
                for state in redeem([event], None).values():  # type: ignore[arg-type]  # no event here is a claim
                    if isinstance(state, State):
                        _write(engine, registry, state)
                channel.basic_ack(got[0].delivery_tag)
                done += 1
    seconds = time.perf_counter() - began
    engine.close()
    return done / seconds


def _write(engine: EdgeEngine, registry: HandlerRegistry, state: State) -> None:
    prepared = prepare(state, None, registry)
    kind = state.document.type
    for chunk in prepared.chunks:
        vector = registry.embed(kind)([chunk.embedded_text], never)[0]
        point = Point(chunk.id, chunk.payload.model_dump(mode="json"), vector, chunk.payload.text)
        engine.write(alias_of(kind), [Upsert((point,), ())])
    record = Point(prepared.record.document_id, prepared.record.model_dump(mode="json"))
    engine.write(Alias.DOCUMENTS, [Upsert((record,), ())])
