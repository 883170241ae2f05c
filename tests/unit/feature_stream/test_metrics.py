"""The flow's figures, as somebody who watches it reads them."""

from datetime import UTC, datetime, timedelta
from threading import Event

from fakes.clock import SettableClock
from fakes.embedding import HashEmbedder
from fakes.features import InMemoryFeatureStore
from fakes.flow import DEADLINE, Stream, changed, deleted, eventually, post
from fakes.metrics import RecordingMetrics
from twin_contracts.records import RecordStatus
from twin_feature_stream.metrics import CHUNKS, EVENTS, IN_HAND, METRICS, SEARCHABLE, SINCE_COMMIT, STAGES
from twin_feature_stream.status import FlowStatus
from twin_platform.features.errors import PointRefused
from twin_platform.features.port import ApplyDocument, FeatureChange
from twin_platform.telemetry.prometheus import PrometheusMetrics

MINUTE = timedelta(minutes=1)
HELLO = post("hello", "Bread needs time more than it needs kneading.")
NOTHING = post("nothing", "")


def outcomes(metrics: RecordingMetrics) -> dict[str, float]:
    return {status: metrics.counted[EVENTS.name, status] for status in RecordStatus}


def test_what_becomes_of_documents_is_counted_by_outcome() -> None:
    stream = Stream()
    gone = post("gone", "Here today.")
    stream.publish([changed(HELLO, 1), changed(NOTHING, 2), deleted(gone, 3)])

    stream.run()

    assert outcomes(stream.metrics) == {"indexed": 1, "rejected": 1, "parked": 0, "deleted": 1}
    assert stream.metrics.counted[CHUNKS.name, None] == 1


def test_a_document_that_the_store_refuses_is_counted_as_parked_and_its_neighbour_as_indexed() -> None:
    class Refusing(InMemoryFeatureStore):
        def apply(self, changes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            if any(is_of(change, HELLO.id) and change.chunks for change in changes):
                raise PointRefused("no")
            super().apply(changes)

    stream = Stream(features=Refusing())
    stream.publish([changed(HELLO, 1), changed(post("other", "Rye and water."), 2)])

    stream.run()

    assert outcomes(stream.metrics) == {"indexed": 1, "rejected": 0, "parked": 1, "deleted": 0}


def is_of(change: FeatureChange, document_id: str) -> bool:
    return isinstance(change, ApplyDocument) and change.record.document_id == document_id


def test_each_live_document_has_its_seconds_to_searchable_and_a_clock_ahead_shows_none() -> None:
    metrics, clock = RecordingMetrics(), SettableClock()
    status = FlowStatus(metrics=metrics, clock=clock)
    now = datetime(2026, 3, 1, tzinfo=UTC)

    status.committed([now - MINUTE, now + MINUTE], now)

    assert metrics.observed[SEARCHABLE.name] == [60.0, 0.0]


def test_seconds_since_the_last_commit_grow_also_where_the_first_one_never_comes() -> None:
    metrics, clock = RecordingMetrics(), SettableClock()
    status = FlowStatus(metrics=metrics, clock=clock)
    clock.turn(2 * MINUTE)
    before = metrics.read(SINCE_COMMIT)
    status.committed([], clock.now())
    clock.turn(MINUTE)

    assert (before, metrics.read(SINCE_COMMIT)) == (120.0, 60.0)


def test_what_is_handed_out_is_held_until_it_is_acknowledged() -> None:
    stream, going, on = Stream(), Event(), Event()

    class Waiting(HashEmbedder):
        def embed_documents(self, texts, stop=lambda: False):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            going.set()
            assert on.wait(DEADLINE)
            return super().embed_documents(texts, stop)

    stream.embedder = Waiting()
    stream.publish([changed(HELLO, 1)])
    with stream.running():
        assert going.wait(DEADLINE)
        held = stream.metrics.read(IN_HAND)
        on.set()
        eventually(lambda: stream.log.waiting() == 0)
        eventually(lambda: stream.metrics.read(IN_HAND) == {"prefetched": 0, "handed_out": 0})

    assert held == {"prefetched": 0, "handed_out": 1}
    assert stream.metrics.read(IN_HAND) is None


def test_the_seconds_of_every_stage_are_counted() -> None:
    stream = Stream()
    stream.publish([changed(HELLO, 1)])

    stream.run()

    assert {stage for name, stage in stream.metrics.counted if name == STAGES.name} == set(STAGES.values)


def test_every_figure_is_listed_with_its_meaning() -> None:
    told = PrometheusMetrics(METRICS).text().decode()

    assert all(metric.name.startswith("twin_flow_") and metric.meaning.endswith(".") for metric in METRICS)
    assert all(f"# HELP {metric.name}" in told for metric in (EVENTS, SEARCHABLE, CHUNKS, STAGES))
