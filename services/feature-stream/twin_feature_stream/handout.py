"""What an epoch works on, chosen from the queues: suspects alone, live before refill, within the byte budget."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from twin_contracts.queues import Lane, Queue
from twin_feature_stream.batch import Work
from twin_feature_stream.budget import Budgets, ByteBudget
from twin_feature_stream.in_hand import ALONE_AT, HandKeeper, event_id_of
from twin_platform.log.port import Consumer, Delivery
from twin_platform.telemetry.clock import Clock

MAX_MESSAGES = 256
REFILL_TURN = 10
"""One epoch in so many belongs to refill even while live events wait, or a re-emission would never end."""


@dataclass
class Handout:
    """Chooses an epoch's work: whole documents within the byte budget, or one slice of a bigger one.

    A document above the budget goes alone and in slices; only its own queue waits meanwhile, since slices and whole
    documents take turns. An event over which processes have died goes before anything else and with nothing beside
    it; what its queue has behind it is held back, since an acknowledgement covers everything before it. Only not at
    once after a start: whoever kills each process that comes would leave none to the other queues.
    """

    consumer: Consumer
    queues: Sequence[Queue]
    budgets: Budgets
    in_hand: HandKeeper
    unfinished: Callable[[Delivery], bool]
    """Whether a slice of this delivery's document is left for another epoch."""
    clock: Clock
    suspects_wait_seconds: float
    """From the first delivery on; meanwhile the other queues have what they waited for."""
    taken: int = 0
    """Events that the consumer has handed over."""
    _turn: int = 0
    _lane_turns: Counter[Lane] = field(default_factory=Counter)
    _sliced: dict[Queue, Delivery] = field(default_factory=dict)
    _sliced_last: set[Lane] = field(default_factory=set)
    """Lanes whose last work was a slice while whole documents may wait: these come next."""
    _held: dict[Queue, deque[Delivery]] = field(default_factory=dict)
    """Taken and not handed out, a suspect first."""
    _began: float | None = None

    def next(self, *, nothing_in_hand: bool) -> list[Work]:
        """Return the next epoch's work; empty where none waits, or a suspect for everything in hand to be committed.

        The epoch before it must be prepared.
        """
        self._sliced = {queue: delivery for queue, delivery in self._sliced.items() if self.unfinished(delivery)}
        suspect = self._suspect()
        works = [] if suspect else self._choose()
        if works:
            return works
        suspect = suspect or self._suspect()
        return [self._alone(suspect)] if suspect and nothing_in_hand else []

    def is_alone(self, works: Sequence[Work]) -> bool:
        """Return whether nothing may be handled beside this work."""
        return works[0].deaths >= ALONE_AT

    def spent(self, works: Sequence[Work], seconds: float) -> None:
        """Learn how long an epoch took."""
        size = sum(min(work.delivery.cost, work.slice_bytes or work.delivery.cost) for work in works)
        sliced = works[0].slice_bytes is not None
        budget = self.budgets.background if sliced else self._budget(works[0].delivery.queue.lane)
        budget.spent(size, seconds)

    def _suspect(self) -> Delivery | None:
        """Return the one that fewest have died over: the guilty one's count rises, a mere neighbour is cleared.

        Of a document's events the one that most have died over: parked once, the document is parked for the others.
        """
        if self._began is None or self.clock.monotonic() - self._began < self.suspects_wait_seconds:
            return None
        worst: dict[str, Delivery] = {}
        for delivery in sorted(self._suspects(), key=self._deaths):
            worst[_subject(delivery)] = delivery
        return min(worst.values(), key=self._deaths, default=None)

    def _suspects(self) -> list[Delivery]:
        begun = [self._sliced[queue] for queue in self.queues if queue in self._sliced]
        heads = [self._held[queue][0] for queue in self.queues if self._held.get(queue) and queue not in self._sliced]
        return [delivery for delivery in begun + heads if self._deaths(delivery) >= ALONE_AT]

    def _alone(self, suspect: Delivery) -> Work:
        queue = suspect.queue
        if queue not in self._sliced:
            self._held[queue].popleft()
            if suspect.cost <= self._budget(queue.lane).bytes:
                return Work(suspect, deaths=self._deaths(suspect))
        return self._slice(suspect)

    def _choose(self) -> list[Work]:
        self._turn += 1
        lanes = (Lane.REFILL, Lane.LIVE) if self._turn % REFILL_TURN == 0 else (Lane.LIVE, Lane.REFILL)
        for lane in lanes:
            works = self._of_lane(lane, [queue for queue in self.queues if queue.lane is lane])
            if works:
                return works
        return []

    def _of_lane(self, lane: Lane, queues: list[Queue]) -> list[Work]:
        """Return the lane's next work; one of its documents at a time is in slices, and never two before what waits."""
        self._lane_turns[lane] += 1
        turn = self._lane_turns[lane]
        sliced = next((self._sliced[queue] for queue in queues if queue in self._sliced), None)
        start = turn // 2 % len(queues) if queues else 0
        free = [queue for queue in queues[start:] + queues[:start] if queue not in self._sliced]
        if sliced is None:
            return self._begin(lane, free[:1]) or self._whole(lane, free) or self._begin(lane, free)
        if lane in self._sliced_last and (works := self._whole(lane, free)):
            self._sliced_last.remove(lane)
            return works
        return [self._slice(sliced)]

    def _whole(self, lane: Lane, queues: list[Queue]) -> list[Work]:
        works: list[Work] = []
        budget = self._budget(lane).bytes
        for queue in queues:
            taken = self._take(queue, MAX_MESSAGES - len(works), budget)
            budget -= sum(delivery.cost for delivery in taken)
            works += [Work(delivery) for delivery in taken]
            if budget <= 0 or len(works) >= MAX_MESSAGES:
                break
        return works

    def _begin(self, lane: Lane, queues: list[Queue]) -> list[Work]:
        for queue in queues:
            held = self._held.get(queue)
            cost = held[0].cost if held else self.consumer.peek_cost(queue)
            if cost is not None and cost > self._budget(lane).bytes:
                for delivery in self._take(queue, 1, cost):
                    return [self._slice(delivery)]
        return []

    def _take(self, queue: Queue, limit: int, budget: int) -> list[Delivery]:
        """Take from the queue, what was held back first, and up to a suspect, or to another event of its document."""
        held = self._held.setdefault(queue, deque())
        if not held:
            fresh = self.consumer.take(queue, limit, budget)
            self.taken += len(fresh)
            held.extend(fresh)
        taken: list[Delivery] = []
        suspected = set(map(_subject, self._suspects()))
        while held and len(taken) < limit and held[0].cost <= budget and self._deaths(held[0]) < ALONE_AT:
            if suspected and _subject(held[0]) in suspected:
                break
            budget -= held[0].cost
            taken.append(held.popleft())
        return taken

    def _slice(self, delivery: Delivery) -> Work:
        self._sliced[delivery.queue] = delivery
        self._sliced_last.add(delivery.queue.lane)
        return Work(delivery, self.budgets.background.bytes, self._deaths(delivery))

    def _deaths(self, delivery: Delivery) -> int:
        if self._began is None:
            self._began = self.clock.monotonic()
        return self.in_hand.deaths(delivery)

    def _budget(self, lane: Lane) -> ByteBudget:
        return self.budgets.live if lane is Lane.LIVE else self.budgets.background


def _subject(delivery: Delivery) -> str:
    """Return what the event is about: of a message that names no document, itself."""
    return delivery.headers.document_id or event_id_of(delivery)
