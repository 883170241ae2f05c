"""Routes of crawls: ask for links to be read, look how far that is, list where documents came from."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from twin_contracts.base import DocumentId
from twin_contracts.crawl import CrawledSource, CrawlJob, CrawlRequest, SourcePage
from twin_contracts.documents import AuthorRef
from twin_platform.records.authors import known_as
from twin_platform.records.crawls import SOURCES, ask_crawl, crawl_job
from twin_platform.records.port import Stored
from twin_rag_api.access import KeyAccess, sees_crawl_of
from twin_rag_api.errors import AuthorNotOfKey, CrawlUnknown
from twin_rag_api.parts import Parts

_PAGE: Final = 500


class CrawlRoutes:
    """A crawl is acknowledged once its job is stored; a crawler works it off, in this process or another.

    What a bound key asks for is its author's, and it sees the crawls and sources of its authors alone.
    """

    def __init__(self, parts: Parts) -> None:
        self._records, self._clock = parts.records, parts.clock

    def router(self) -> APIRouter:
        """Return the routes of `/v1/crawls` and `/v1/sources`."""
        router = APIRouter(tags=["crawls"])
        router.add_api_route("/v1/crawls", self.post, methods=["POST"], status_code=202)
        router.add_api_route("/v1/crawls/{id}", self.get, methods=["GET"])
        router.add_api_route("/v1/sources", self.sources, methods=["GET"])
        return router

    def post(self, request: CrawlRequest, access: KeyAccess, response: Response) -> CrawlJob:
        """Ask for links to be crawled. `Location` is where the job can be looked at."""
        authors: tuple[str, ...] | None = None
        if access.authors is not None:
            author = known_as(self._records, AuthorRef.of(request.author)) if request.author else None
            if author is None or not access.sees(author.id):
                raise AuthorNotOfKey(access.authors)
            request = request.model_copy(update={"author": author.name})
            authors = tuple(sorted(access.authors))
        job = ask_crawl(self._records, self._clock, request, authors)
        response.headers["Location"] = f"/v1/crawls/{job.id}"
        return job

    def get(self, job_id: Annotated[DocumentId, Path(alias="id")], access: KeyAccess) -> CrawlJob:
        """Return how far a crawl is; a finished one can be asked for during a week."""
        job = crawl_job(self._records, job_id)
        if job is None or not sees_crawl_of(access, self._records, job.author):
            raise CrawlUnknown(job_id)
        return job

    def sources(
        self,
        access: KeyAccess,
        cursor: Annotated[DocumentId | None, Query(description="`next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> SourcePage:
        """Return one page of the links that documents came from."""
        found: list[Stored[CrawledSource]] = []
        after = cursor
        while len(found) <= limit and (page := self._records.find(SOURCES, after=after, limit=_PAGE)):
            after = page[-1].key
            found += [stored for stored in page if sees_crawl_of(access, self._records, stored.record.author)]
        items = tuple(stored.record for stored in found[:limit])
        return SourcePage(items=items, next=found[limit - 1].key if len(found) > limit else None)
