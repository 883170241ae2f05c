"""What the flow has in hand, told before it is handled: so a death without a word names its suspects.

One record per flow index. Whoever finds ids in `handling` that a dead process left raises exactly their counts; an
event that was in hand at two deaths is handled alone, so that the guilty one is found and no neighbour pays for it.

Where the number of flows changes, a queue gets another reader; what the queue's former reader had counted against an
event follows it there. A record of an index that is no more says nothing else.
"""

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self

from pydantic import Field, PositiveInt

from twin_contracts.base import Contract, Text, uuid_of
from twin_contracts.events import EventId
from twin_feature_stream.errors import HandTaken
from twin_platform.errors import TransientError
from twin_platform.log.port import Delivery
from twin_platform.records.port import ABSENT, Collection, RecordChanged, RecordStore

ALONE_AT = 2
"""Deaths from which an event is handled alone: nothing beside it is in hand."""
PARKED_AT = 6
"""Deaths from which it is not handled any more."""
MOST_SUSPECTS = 10_000
"""More than two epochs, many times over; what a lost queue never brings again must not stay for ever."""


class InHand(Contract):
    """One flow's record: who has it, which events are being handled, and how often a process died over which."""

    owner: Text
    handling: tuple[EventId, ...] = ()
    suspects: dict[EventId, PositiveInt] = Field(default_factory=dict)

    def accused(self) -> dict[EventId, int]:
        """Return the suspects after the owner's death: what it had in hand comes last, and has one death more."""
        died = {event_id: self.suspects.get(event_id, 0) + 1 for event_id in self.handling}
        return {event_id: deaths for event_id, deaths in self.suspects.items() if event_id not in died} | died


IN_HAND = Collection("flow-in-hand", InHand)


def events_in_hand(records: RecordStore, flow_count: int) -> int:
    """Return how many events the flows have in hand: neither waiting in the log nor committed."""
    return sum(len(one.record.handling) for one in records.find(IN_HAND) if int(one.key) < flow_count)


def event_id_of(delivery: Delivery) -> EventId:
    """Return the event's id without decoding it; of a message that names no document, one of its queue and bytes."""
    headers = delivery.headers
    if headers.document_id is None or headers.version is None:
        return uuid_of("message", delivery.queue.name, hashlib.sha256(delivery.body).hexdigest())
    return uuid_of("event", headers.document_id, str(headers.version), headers.cause or delivery.queue.lane)


class HandKeeper:
    """Keeps one flow's record, each put on condition that nobody else changed it. For one thread.

    The record is taken over when the first delivery is asked about, never while this process stands by. Leaving it as
    a context empties it: what an orderly stop or an exception leaves is nobody's fault.
    """

    def __init__(self, records: RecordStore, flow_index: int, owner: str) -> None:
        self._records, self._key, self._owner = records, str(flow_index), owner
        self._stored: InHand | None = None
        self._revision = ABSENT
        self._suspects: dict[EventId, int] | None = None
        self._elsewhere: dict[EventId, int] = {}
        """What other flows' records said at the take-over; of theirs until it is handed out here."""

    def deaths(self, delivery: Delivery) -> int:
        """Return how often a process died while it handled this event; a commit of it has made that 0."""
        if self._suspects is None:
            self._suspects = self._take_over()
        event_id = event_id_of(delivery)
        before = self._elsewhere.pop(event_id, 0)
        if before > self._suspects.get(event_id, 0):
            self._suspects[event_id] = before
        return self._suspects.get(event_id, 0)

    def handle(self, deliveries: Iterable[Delivery]) -> None:
        """Put what is in hand now, before any of it is handled; and with it what commits have changed.

        Raises:
            HandTaken: somebody else has the record; nothing may be handled.
        """
        if self._suspects is None:
            return
        handling = tuple(dict.fromkeys(map(event_id_of, deliveries)))
        self._put(InHand(owner=self._owner, handling=handling, suspects=dict(self._suspects)))

    def committed(self, delivery: Delivery) -> None:
        """Clear the event of suspicion: it was handled, or a part of it that took work was."""
        if self._suspects:
            self._suspects.pop(event_id_of(delivery), None)

    def check(self) -> None:
        """Raise `HandTaken` where somebody else has the record by now: this process was given up for dead."""
        stored = self._records.get(IN_HAND, self._key)
        if self._stored is not None and (stored is None or stored.revision != self._revision):
            raise HandTaken(self._key)

    def __enter__(self) -> Self:
        """Return this, with nothing read or written yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Empty the record. Where that fails, this owner knows it for its own, and another one accuses too many."""
        with suppress(TransientError):
            self.handle(())

    def _take_over(self) -> dict[EventId, int]:
        found = {stored.key: stored for stored in self._records.find(IN_HAND)}
        mine = found.pop(self._key, None)
        self._elsewhere = {}
        for other in found.values():
            for event_id, deaths in other.record.accused().items():
                self._elsewhere[event_id] = max(deaths, self._elsewhere.get(event_id, 0))
        if mine is None:
            return {}
        self._revision, left = mine.revision, mine.record
        accused = left.suspects if left.owner == self._owner else left.accused()
        return dict(list(accused.items())[-MOST_SUSPECTS:])

    def _put(self, in_hand: InHand) -> None:
        if in_hand == self._stored:
            return
        try:
            self._revision = self._records.put(IN_HAND, self._key, in_hand, if_revision=self._revision)
        except RecordChanged as error:
            raise HandTaken(self._key) from error
        self._stored = in_hand
