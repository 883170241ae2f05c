"""The crawler service: works off jobs for as long as it is not stopped."""

from dataclasses import dataclass, field
from threading import Event as Flag
from typing import Literal

from twin_crawler.jobs import Jobs
from twin_platform.errors import TransientError
from twin_platform.telemetry.logs import Logger

IDLE_SECONDS = 0.2
FIRST_BACKOFF = 0.2
LAST_BACKOFF = 30.0

State = Literal["starting", "running", "degraded", "stopped"]


@dataclass
class CrawlerStatus:
    """What the crawler tells of itself; written by its thread, read by any."""

    state: State = "starting"
    detail: str | None = None


@dataclass
class CrawlerService:
    """Looks for jobs and works them off, one at a time; waits out transient errors, any other ends it."""

    jobs: Jobs
    logger: Logger
    status: CrawlerStatus = field(default_factory=CrawlerStatus)

    def run(self, stop: Flag) -> None:
        """Run until `stop` is set; a link under way is taken up at the next start."""
        backoff = FIRST_BACKOFF
        while not stop.is_set():
            try:
                worked = self.jobs.run_next(stop.is_set)
                self._tell("running", None)
                backoff = FIRST_BACKOFF
                if not worked:
                    stop.wait(IDLE_SECONDS)
            except TransientError as error:
                self._tell("degraded", str(error))
                stop.wait(backoff)
                backoff = min(backoff * 2, LAST_BACKOFF)
        self._tell("stopped", None)

    def _tell(self, state: State, detail: str | None) -> None:
        if (state, detail) != (self.status.state, self.status.detail):
            self.logger.event("crawler", state=state, detail=detail)
        self.status.state, self.status.detail = state, detail
