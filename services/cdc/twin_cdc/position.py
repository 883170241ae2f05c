"""How far the change feed has been published, and what a lost position still owes."""

from contextlib import closing, suppress

from twin_cdc.errors import RightLost
from twin_contracts.base import uuid_of
from twin_contracts.events import Cause
from twin_contracts.reemission import Reemission
from twin_platform.documents.port import DocumentStore
from twin_platform.records.port import ABSENT, RecordChanged, RecordStore
from twin_platform.records.positions import POSITIONS, SOURCE, FeedPosition
from twin_platform.records.reemissions import REEMISSIONS
from twin_platform.telemetry.clock import Clock

_REASON_LENGTH = 500


class PositionKeeper:
    """Reads and replaces the position record, on condition that nobody else did.

    A holder of the exclusive right that was stopped and continues cannot overwrite its successor's position.
    """

    def __init__(self, records: RecordStore, documents: DocumentStore, clock: Clock) -> None:
        self._records, self._documents, self._clock = records, documents, clock
        stored = records.get(POSITIONS, SOURCE)
        self._revision = stored.revision if stored else ABSENT
        self._position = stored.record if stored else self._anew("first start")

    @property
    def token(self) -> str:
        """Return the feed's position."""
        return self._position.token

    def advance(self, token: str) -> None:
        """Replace the position after everything up to `token` was confirmed. Does nothing where it did not move."""
        if token != self._position.token:
            self._put(self._position.model_copy(update={"token": token}))

    def lose(self, why: str) -> None:
        """Take the present token and owe a re-emission of everything."""
        self._position = self._anew(why)

    def settle(self) -> None:
        """Create the re-emission that is owed, if one is, and clear the debt. Idempotent over crashes in between."""
        owed = self._position.owed
        if owed is None:
            return
        request = Reemission(
            id=owed, reason=self._position.owed_reason, cause=Cause.REFILL, requested_at=self._clock.now()
        )
        with suppress(RecordChanged):  # a crash came after the same put
            self._records.put(REEMISSIONS, owed, request, if_revision=ABSENT)
        self._put(self._position.model_copy(update={"owed": None, "owed_reason": ""}))

    def _anew(self, why: str) -> FeedPosition:
        with closing(self._documents.changes(None)) as feed:
            token = feed.position()
        owed = uuid_of("owed", token, self._clock.now().isoformat())
        return self._put(FeedPosition(token=token, owed=owed, owed_reason=why[:_REASON_LENGTH]))

    def _put(self, position: FeedPosition) -> FeedPosition:
        try:
            self._revision = self._records.put(POSITIONS, SOURCE, position, if_revision=self._revision)
        except RecordChanged as error:
            raise RightLost(SOURCE) from error
        self._position = position
        return position
