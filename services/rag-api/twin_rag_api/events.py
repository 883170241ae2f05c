"""Route of events: what becomes of documents and crawls, told while it happens."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse

from twin_contracts.base import Contract, DocumentId
from twin_contracts.crawl import CrawlJob
from twin_platform.errors import PlatformError
from twin_platform.records.crawls import crawl_job, open_crawls
from twin_platform.records.port import RecordStore
from twin_rag_api.access import Access, KeyAccess, sees_crawl_of
from twin_rag_api.parts import Parts

HEARTBEAT_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.1
_ASK_SECONDS: Final = 1.0
"""Between two looks at what is in the record store: crawls, and the key itself."""

ABOUT: Final = (
    "`GET /v1/events` tells what happens, as server-sent events: `indexed`, `rejected`, `parked` and `deleted` with a "
    "document, `crawl` with a crawl's progress; a comment at least every ten seconds. `?seconds=60` ends it after a "
    "minute. It is not among the routes below, since a program made from them would wait for its end."
)
"""For the OpenAPI document's description."""


class EventRoutes:
    """Documents are told by who applies them, crawls are looked up each second.

    Nothing is kept for who comes back: what was missed, the lists of documents and crawls say.
    """

    def __init__(self, parts: Parts) -> None:
        self._listen = parts.listen
        self._records = parts.records

    def router(self) -> APIRouter:
        """Return the route `/v1/events`."""
        router = APIRouter(tags=["system"])
        router.add_api_route("/v1/events", self.events, methods=["GET"], include_in_schema=False)
        return router

    async def events(
        self,
        request: Request,
        access: KeyAccess,
        seconds: Annotated[float | None, Query(ge=0, le=86400, description="When to end; without it never.")] = None,
    ) -> StreamingResponse:
        """Tell what becomes of the documents and crawls that the key sees, as server-sent events.

        The stream ends when the key does, when the system stops, and for a client that reads too slowly.
        """
        now = asyncio.get_running_loop().time
        end = float("inf") if seconds is None else now() + seconds

        def goes_on() -> bool:
            return now() < end and not request.app.state.stopping

        stream = self._stream(access, request.state.renew, goes_on)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(stream, headers=headers, media_type="text/event-stream")

    async def _stream(
        self, access: Access, renew: Callable[[], Awaitable[Access]], goes_on: Callable[[], bool]
    ) -> AsyncGenerator[bytes, None]:
        now = asyncio.get_running_loop().time
        crawls = _Crawls(self._records)
        with self._listen() as listener, suppress(PlatformError):  # a key or a store that has ended
            await run_in_threadpool(crawls.news, access)
            yield b": listening\n\n"
            spoke = asked = now()
            while goes_on() and not listener.lost:
                await asyncio.sleep(_LOOK_SECONDS)
                told = [_event(news.status, news) for news in listener.take() if access.sees(news.author)]
                if now() - asked >= _ASK_SECONDS:
                    access = await renew()
                    jobs, asked = await run_in_threadpool(crawls.news, access), now()
                    told += [_event("crawl", job) for job in jobs]
                if told or now() - spoke >= HEARTBEAT_SECONDS:
                    yield b"".join(told) or b": still here\n\n"
                    spoke = now()


class _Crawls:
    """Finds the crawls that changed since it looked last."""

    def __init__(self, records: RecordStore) -> None:
        self._records = records
        self._seen: dict[DocumentId, int] = {}

    def news(self, access: Access) -> list[CrawlJob]:
        """Return those jobs that the key sees which are new, further on or finished since the last call."""
        stored = open_crawls(self._records)
        jobs = [one.record for one in stored if self._seen.get(one.key) != one.revision]
        present = {one.key: one.revision for one in stored}
        ended = [crawl_job(self._records, key) for key in self._seen if key not in present]
        self._seen = present
        return [_brief(job) for job in (*jobs, *ended) if job and sees_crawl_of(access, self._records, job.author)]


def _brief(job: CrawlJob) -> CrawlJob:
    links = (link.model_copy(update={"documents": (), "refusals": ()}) for link in job.links)
    return job.model_copy(update={"links": tuple(links)})


def _event(name: str, data: Contract) -> bytes:
    return f"event: {name}\ndata: {data.model_dump_json()}\n\n".encode()
