"""A fetcher that counts what another one does."""

from dataclasses import dataclass

from twin_crawler.errors import FetchFailed, FetchRefused
from twin_crawler.metrics import FETCH_SECONDS, FETCHES
from twin_crawler.ports import Fetched, Fetcher
from twin_platform.telemetry.clock import Clock
from twin_platform.telemetry.metrics import Metrics


@dataclass(frozen=True)
class MeasuredFetcher:
    """A `Fetcher` like `fetcher`; a fetch that the crawler's stop interrupts is not counted."""

    fetcher: Fetcher
    metrics: Metrics
    clock: Clock

    def fetch(
        self,
        url: str,
        *,
        accept: frozenset[str] | None = None,
        etag: str | None = None,
        last_modified: str | None = None,
    ) -> Fetched:
        """Return the content of `url`; see the port."""
        began = self.clock.monotonic()
        try:
            fetched = self.fetcher.fetch(url, accept=accept, etag=etag, last_modified=last_modified)
        except FetchRefused:
            self._count("refused", began)
            raise
        except FetchFailed:
            self._count("failed", began)
            raise
        self._count("unchanged" if fetched.not_modified else "fetched", began)
        return fetched

    def _count(self, outcome: str, began: float) -> None:
        self.metrics.count(FETCHES, outcome)
        self.metrics.observe(FETCH_SECONDS, self.clock.monotonic() - began)
