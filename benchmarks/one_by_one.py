"""What the flow and the publisher replace: a connection per message; `basic_get`, and an upsert per item."""

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pika

from benchmarks.free_embedder import FreeEmbedder
from twin_contracts.events import DocumentChanged
from twin_contracts.queues import EXCHANGE, Queue
from twin_feature_stream.bootstrap import build_registry
from twin_feature_stream.prepare import State, prepare
from twin_feature_stream.registry import HandlerRegistry
from twin_platform.embedding.port import never
from twin_platform.features.edge import EdgeEngine
from twin_platform.features.engine import Alias, Point, Upsert, alias_of
from twin_platform.log.codec import decode, encode

_QUEUE = "one-by-one"


def published(url: str, queue: Queue, events: Sequence[DocumentChanged]) -> float:
    """Publish each event, persistent and confirmed, on a connection of its own; return events a second."""
    parameters = pika.URLParameters(url)
    began = time.perf_counter()
    for event in events:
        with pika.BlockingConnection(parameters) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.basic_publish(EXCHANGE, queue.routing_key, encode(event)[1], _persistent(), mandatory=True)
    return len(events) / (time.perf_counter() - began)


def taken(url: str, folder: Path, events: Sequence[DocumentChanged]) -> float:
    """Put the events into a queue, take each by `basic_get` and write it into a vector store; return events a second.

    The queue is one of its own: ours have a single active consumer, and refuse `basic_get`.
    """
    embedder = FreeEmbedder()
    registry = build_registry(embedder)
    with (
        pika.BlockingConnection(pika.URLParameters(url)) as connection,
        closing(EdgeEngine(folder, embedder.spec)) as engine,
    ):
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare(_QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        for event in events:
            channel.basic_publish("", _QUEUE, encode(event)[1], _persistent())
        began = time.perf_counter()
        while (got := channel.basic_get(_QUEUE))[0] is not None:
            _write(engine, registry, got[2] or b"")
            channel.basic_ack(got[0].delivery_tag)
        seconds = time.perf_counter() - began
        channel.queue_delete(_QUEUE)
    return len(events) / seconds


def _persistent() -> pika.BasicProperties:
    return pika.BasicProperties(delivery_mode=2)  # type: ignore[no-untyped-call]  # pika has no types


def _write(engine: EdgeEngine, registry: HandlerRegistry, body: bytes) -> None:
    event = decode(body)
    if not isinstance(event, DocumentChanged) or event.after is None:
        raise TypeError(event)
    kind = event.after.type
    state = State(event.document_id, event.version, event.cause, event.content_hash or "", event.after, None)
    prepared = prepare(state, None, registry)
    for chunk in prepared.chunks:
        vector = registry.embed(kind)([chunk.embedded_text], never)[0]
        point = Point(chunk.id, chunk.payload.model_dump(mode="json"), vector, chunk.payload.text)
        engine.write(alias_of(kind), [Upsert((point,), ())])
    record = Point(prepared.record.document_id, prepared.record.model_dump(mode="json"))
    engine.write(Alias.DOCUMENTS, [Upsert((record,), ())])
