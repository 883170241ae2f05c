"""Work for a client that may leave before it is done."""

import asyncio
from collections.abc import Coroutine
from typing import Final, TypeVar

from starlette.requests import Request

GONE: Final = 499
"""Status of a response that nobody reads: the client has closed the connection."""

_LOOK_SECONDS: Final = 0.5

T = TypeVar("T")


async def unless_gone(http: Request, work: Coroutine[None, None, T]) -> T | None:
    """Return what the work gives, or None once the client has closed the connection: then the work is cancelled."""
    task = asyncio.create_task(work)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=_LOOK_SECONDS)
            if not task.done() and await http.is_disconnected():
                return None
        return task.result()
    finally:
        task.cancel()
