"""Bytewax sink over the feature store: an epoch is one commit."""

from dataclasses import dataclass

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from twin_feature_stream.process import Process
from twin_feature_stream.status import FlowStatus
from twin_platform.errors import PlatformError
from twin_platform.features.port import FeatureChange, FeatureStore
from twin_platform.telemetry.clock import Clock


@dataclass
class FeaturePartition(StatefulSinkPartition[FeatureChange, None]):
    """Buffers an epoch's changes and applies them together at its end."""

    features: FeatureStore
    process: Process
    status: FlowStatus
    clock: Clock

    def __post_init__(self) -> None:
        """Begin with an empty epoch."""
        self._changes: list[FeatureChange] = []

    def write_batch(self, items: list[FeatureChange]) -> None:
        """Keep for the epoch's end."""
        self._changes += items

    def snapshot(self) -> None:
        """Commit the epoch; an error is handed over, and nothing of the epoch is acknowledged."""
        changes, self._changes = self._changes, []
        if not changes or self.process.failure.error:
            return
        try:
            self.features.apply(changes)
        except PlatformError as error:
            self.process.failure.hand_over(error)
            return
        self.status.committed(self.process.committing, self.clock.now())
        self.process.committing.clear()


@dataclass
class FeatureSink(FixedPartitionedSink[FeatureChange, None]):
    """The feature store as one sink partition, so that an epoch is one commit."""

    features: FeatureStore
    process: Process
    status: FlowStatus
    clock: Clock

    def list_parts(self) -> list[str]:
        """Return the one partition's name."""
        return ["features"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> FeaturePartition:  # noqa: ARG002 - Bytewax's signature
        """Return the committing partition."""
        return FeaturePartition(self.features, self.process, self.status, self.clock)
