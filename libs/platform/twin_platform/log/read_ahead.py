"""What a consumer hands out of the events that it has read ahead."""

from collections import deque

from twin_platform.log.port import Delivery


def next_of(ahead: deque[Delivery], limit: int, budget: int) -> list[Delivery]:
    """Take up to `limit` events from the front whose costs sum to at most `budget` bytes."""
    taken = list[Delivery]()
    while ahead and len(taken) < limit and ahead[0].cost <= budget:
        budget -= ahead[0].cost
        taken.append(ahead.popleft())
    return taken
