"""The feature-stream service: runs the flow over opened stores, for as long as it is not stopped."""

from dataclasses import dataclass, field
from threading import Event as Flag
from typing import Literal
from uuid import uuid4

from twin_contracts.queues import Lane, Queue
from twin_feature_stream.ahead import Ahead
from twin_feature_stream.budget import Budgets
from twin_feature_stream.decode import Decoder
from twin_feature_stream.embed import Embedding
from twin_feature_stream.errors import Failure
from twin_feature_stream.flow import build_dataflow, run_dataflow
from twin_feature_stream.in_hand import HandKeeper
from twin_feature_stream.process import Process
from twin_feature_stream.registry import HandlerRegistry
from twin_feature_stream.sink import FeatureSink
from twin_feature_stream.source import LogSource
from twin_feature_stream.status import FlowStatus
from twin_platform.documents.port import DocumentStore
from twin_platform.errors import TransientError
from twin_platform.features.port import FeatureStore
from twin_platform.log.port import EventLog
from twin_platform.records.port import RecordStore
from twin_platform.records.reemissions import ask_reemission, open_reemissions
from twin_platform.telemetry.clock import Clock
from twin_platform.telemetry.logs import Logger

FIRST_BACKOFF = 0.2
LAST_BACKOFF = 5.0
FIRST_LOOK = 0.1
"""Seconds between the first two looks for queues that cdc has not declared yet; doubled up to `LAST_BACKOFF`."""


@dataclass
class FeatureStream:
    """The service: runs the flow, waits out transient errors, asks for everything where the feature store is empty."""

    documents: DocumentStore
    records: RecordStore
    log: EventLog
    features: FeatureStore
    registry: HandlerRegistry
    clock: Clock
    logger: Logger
    flow_index: int = 0
    flow_count: int = 1
    flush_seconds: float = 1.0
    suspects_wait_seconds: float = 1.0
    """What a process may have died over is handled so long after the first delivery; the others' queues go first."""
    status: FlowStatus = field(default_factory=FlowStatus)
    owner: str = field(default_factory=lambda: str(uuid4()))
    """Names this process in what the flow has in hand: what its own last run left there, nobody died over."""

    def run(self, stop: Flag) -> None:
        """Run until `stop` is set; whatever was not acknowledged comes again. Any but a transient error is raised."""
        asked = False
        backoff, look = FIRST_BACKOFF, FIRST_LOOK
        while not stop.is_set():
            began = self.clock.monotonic()
            try:
                if not asked:
                    self._ask_if_empty()
                    asked = True
                if self.log.missing():
                    stop.wait(look)
                    look = min(look * 2, LAST_BACKOFF)
                    continue
                self._tell("running", None)
                self._flow(stop)
            except TransientError as error:
                if stop.is_set():
                    break
                asked = False  # a store that is back may have come back empty
                self._tell("degraded", str(error))
                lasted = self.clock.monotonic() - began
                backoff = FIRST_BACKOFF if lasted > LAST_BACKOFF else min(backoff * 2, LAST_BACKOFF)
                stop.wait(backoff)
        self._tell("stopped", None)

    def queues(self) -> list[Queue]:
        """Return the queues of this flow: the partitions p with p mod flow_count = flow_index, both lanes."""
        partitions = range(self.flow_index, self.log.partitions, self.flow_count)
        return [Queue(partition, lane) for lane in Lane for partition in partitions]

    def _flow(self, stop: Flag) -> None:
        failure, budgets = Failure(), Budgets()
        process = Process(self.registry, self.features, self.documents, Decoder(self.records, self.clock))

        def stopping() -> bool:
            return stop.is_set() or failure.error is not None

        embedding = Embedding(self.registry, self.features, budgets, self.clock, stopping, self.status)
        with HandKeeper(self.records, self.flow_index, self.owner) as in_hand, Ahead(process, embedding) as ahead:
            source = LogSource(
                log=self.log,
                queues=self.queues(),
                in_hand=in_hand,
                process=process,
                budgets=budgets,
                ahead=ahead,
                failure=failure,
                features=self.features,
                clock=self.clock,
                stop=stop,
                flush_seconds=self.flush_seconds,
                suspects_wait_seconds=self.suspects_wait_seconds,
                status=self.status,
            )
            sink = FeatureSink(self.features, in_hand, failure, self.status, self.clock)
            run_dataflow(build_dataflow(source, failure, sink), failure)

    def _ask_if_empty(self) -> None:
        """An empty feature store is new or was lost; either way the documents must come again.

        One request is enough, of whichever flow, that cdc has not begun.
        """
        if not self.features.is_empty():
            return
        if not any(one.ids is None and one.progress is None for one in open_reemissions(self.records)):
            ask_reemission(self.records, self.clock, "the feature store is empty")

    def _tell(self, state: Literal["running", "degraded", "stopped"], detail: str | None) -> None:
        if (state, detail) != (self.status.state, self.status.detail):
            self.logger.event("flow", state=state, detail=detail)
        self.status.state, self.status.detail = state, detail
