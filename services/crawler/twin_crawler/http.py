"""HTTP service of a crawler that runs as a process of its own: ask for a crawl, look how far it is."""

import hmac
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Path, Response
from fastapi.responses import PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from twin_contracts.base import DocumentId
from twin_contracts.crawl import CrawlJob, CrawlRequest
from twin_contracts.http import ComponentStatus, Readiness
from twin_platform.records.crawls import ask_crawl, crawl_job
from twin_platform.records.port import RecordStore
from twin_platform.telemetry.clock import Clock
from twin_platform.telemetry.health import STATES, figures_of
from twin_platform.telemetry.metrics import Exposed


class CrawlerRoutes:
    """A crawl is acknowledged once its job is stored. Who has the key may crawl for anybody."""

    def __init__(
        self, records: RecordStore, clock: Clock, status: Callable[[], ComponentStatus], key: str, metrics: Exposed
    ) -> None:
        self._records, self._clock, self._status, self._key = records, clock, status, key.encode()
        self._metrics = metrics
        metrics.show(STATES, lambda: figures_of([status()]))

    def app(self) -> FastAPI:
        """Return the application; the two probes and the metrics are open."""
        app = FastAPI(title="LLM Twin crawler", redoc_url=None)
        guarded = [Depends(self._check)]
        app.add_api_route("/crawls", self.post, methods=["POST"], status_code=202, dependencies=guarded)
        app.add_api_route("/crawls/{id}", self.get, methods=["GET"], dependencies=guarded)
        app.add_api_route("/healthz", self.healthy, methods=["GET"])
        app.add_api_route("/readyz", self.ready, methods=["GET"])
        app.add_api_route("/metrics", self.metrics, methods=["GET"], response_class=PlainTextResponse)
        return app

    def post(self, request: CrawlRequest, response: Response) -> CrawlJob:
        """Ask for links to be crawled. `Location` is where the job can be looked at."""
        job = ask_crawl(self._records, self._clock, request)
        response.headers["Location"] = f"/crawls/{job.id}"
        return job

    def get(self, job_id: Annotated[DocumentId, Path(alias="id")]) -> CrawlJob:
        """Return how far a crawl is; a finished one can be asked for during a week."""
        job = crawl_job(self._records, job_id)
        if job is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no crawl {job_id!r}, or no longer")
        return job

    def healthy(self) -> dict[str, str]:
        """Answer while the process lives."""
        return {"status": "alive"}

    def ready(self, response: Response) -> Readiness:
        """Say whether jobs are worked off; 503 while not."""
        component = self._status()
        readiness = Readiness(ready=component.state == "ready", components=(component,))
        response.status_code = HTTPStatus.OK if readiness.ready else HTTPStatus.SERVICE_UNAVAILABLE
        return readiness

    def metrics(self) -> PlainTextResponse:
        """Return the crawler's metrics in Prometheus's text format."""
        return PlainTextResponse(self._metrics.text(), media_type=self._metrics.content_type)

    def _check(
        self, given: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]
    ) -> None:
        if given is None or not hmac.compare_digest(given.credentials.encode(), self._key):
            why = "this route wants the header 'Authorization: Bearer <CRAWLER_KEY>'"
            raise HTTPException(HTTPStatus.UNAUTHORIZED, why, {"WWW-Authenticate": "Bearer"})
