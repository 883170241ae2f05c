"""An epoch's commit. A document that the feature store refuses is parked, its neighbours are written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from twin_contracts.base import DocumentId
from twin_contracts.events import Version
from twin_contracts.records import RecordStatus, Stage
from twin_feature_stream.parked import refused
from twin_platform.features.errors import PointRefused
from twin_platform.features.port import ApplyDocument, ApplyPurge, ApplySlice, FeatureChange, FeatureStore


@dataclass
class Commit:
    """Applies one epoch's changes after the other, and looks for the guilty one where the store refuses them."""

    features: FeatureStore
    applied: Callable[[RecordStatus], None] = lambda _: None
    """Told of each record that was written."""
    _refused: dict[tuple[DocumentId, Version], PointRefused] = field(default_factory=dict)
    """Documents in slices of which a slice was refused, until their records come."""

    def __call__(self, changes: Sequence[FeatureChange]) -> None:
        """Apply, purges last.

        Raises:
            PointRefused: what is left of the epoch says nothing but that a document is gone or parked.
        """
        purges = [change for change in changes if isinstance(change, ApplyPurge)]
        others = [change for change in changes if not isinstance(change, ApplyPurge)]
        admitted = [change for change in map(self._unless_refused, others) if change is not None]
        self._apply([*admitted, *purges])

    def _apply(self, changes: Sequence[FeatureChange]) -> None:
        try:
            self.features.apply(changes)
        except PointRefused as error:
            if len(changes) == 1:
                self._park(changes[0], error)
                return
            middle = len(changes) // 2
            self._apply(changes[:middle])
            self._apply(changes[middle:])
            return
        for change in changes:
            if isinstance(change, ApplyDocument):
                self.applied(change.record.status)

    def _park(self, change: FeatureChange, error: PointRefused) -> None:
        match change:
            case ApplySlice(chunks):
                self._refused[chunks[0].payload.document_id, chunks[0].payload.version] = error
            case ApplyDocument(record) if record.status is RecordStatus.INDEXED:
                self.features.apply([_parked(change, error)])
                self.applied(RecordStatus.PARKED)
            case _:
                raise error

    def _unless_refused(self, change: ApplyDocument | ApplySlice) -> ApplyDocument | ApplySlice | None:
        if isinstance(change, ApplySlice):
            keys = {(chunk.payload.document_id, chunk.payload.version) for chunk in change.chunks}
            return None if keys & self._refused.keys() else change
        error = self._refused.pop((change.record.document_id, change.record.version), None)
        return change if error is None else _parked(change, error)


def _parked(change: ApplyDocument, error: PointRefused) -> ApplyDocument:
    return ApplyDocument(refused(change.record, RecordStatus.PARKED, Stage.SINK, str(error)))
