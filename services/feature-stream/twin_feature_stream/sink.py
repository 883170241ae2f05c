"""Bytewax sink over the feature store: an epoch is one commit."""

from dataclasses import dataclass

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from twin_feature_stream.batch import Computed
from twin_feature_stream.commit import Commit
from twin_feature_stream.errors import Failure
from twin_feature_stream.in_hand import HandKeeper
from twin_feature_stream.status import FlowStatus
from twin_platform.errors import PlatformError
from twin_platform.features.port import FeatureStore
from twin_platform.telemetry.clock import Clock


@dataclass
class FeaturePartition(StatefulSinkPartition[Computed, None]):
    """Buffers an epoch's changes and applies them together at its end."""

    commit: Commit
    in_hand: HandKeeper
    failure: Failure
    status: FlowStatus
    clock: Clock

    def __post_init__(self) -> None:
        """Begin with an empty epoch."""
        self._epoch: list[Computed] = []

    def write_batch(self, items: list[Computed]) -> None:
        """Keep for the epoch's end."""
        self._epoch += items

    def snapshot(self) -> None:
        """Commit the epoch; an error is handed over, and nothing of the epoch is acknowledged."""
        epoch, self._epoch = self._epoch, []
        changes = [change for computed in epoch for change in computed.changes]
        if not changes or self.failure.error:
            return
        try:
            with self.status.stage("commit"):
                self.in_hand.check()
                self.commit(changes)
        except PlatformError as error:
            self.failure.hand_over(error)
            return
        self.status.committed([moment for computed in epoch for moment in computed.committed_at], self.clock.now())


@dataclass
class FeatureSink(FixedPartitionedSink[Computed, None]):
    """The feature store as one sink partition, so that an epoch is one commit."""

    features: FeatureStore
    in_hand: HandKeeper
    failure: Failure
    status: FlowStatus
    clock: Clock

    def list_parts(self) -> list[str]:
        """Return the one partition's name."""
        return ["features"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> FeaturePartition:  # noqa: ARG002 - Bytewax's signature
        """Return the committing partition."""
        commit = Commit(self.features, self.status.applied)
        return FeaturePartition(commit, self.in_hand, self.failure, self.status, self.clock)
