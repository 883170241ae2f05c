"""The polite and safe fetcher: robots.txt, one request per host at a time, patience, every hop checked.

A redirect from https to http is refused: from there on anybody on the way could write in the author's name. One from
http to https is what most sites do.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

import httpx

from twin_crawler.adapters.http_wire import Answered, HttpWire, Limits
from twin_crawler.adapters.patient_wire import PatientWire, named
from twin_crawler.address import AddressPolicy, Target
from twin_crawler.errors import FetchRefused, Reason
from twin_crawler.ports import Fetched
from twin_crawler.robots import AGENT, Rules
from twin_platform.telemetry.clock import Clock, SystemClock

MOST_REDIRECTS = 5
MOST_DELAY_SECONDS = 30.0
"""Of a robots.txt's Crawl-delay."""
_RULES_SECONDS = 3600.0
_MOST_RULES = 1000
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({404, 410})
_FORBIDDEN = frozenset({401, 402, 403, 407, 451})
_MAX_VALIDATOR = 500


@dataclass(frozen=True, slots=True)
class _KnownRules:
    rules: Rules
    until: float


class HttpFetcher:
    """A `Fetcher` over httpx; a context manager.

    Args:
        wait: sleeps that many seconds; may raise to end the fetch, such as when the service stops.
        transport: what carries the requests; None for the network.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        limits: Limits | None = None,
        clock: Clock | None = None,
        wait: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._policy = policy
        self._clock = clock or SystemClock()
        self._wire = PatientWire(HttpWire(limits or Limits(), wait, transport), self._clock, wait)
        self._rules: dict[str, _KnownRules] = {}
        self._rules_lock = threading.Lock()

    def __enter__(self) -> Self:
        """Return the fetcher."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what is open."""
        self._wire.close()

    def fetch(
        self,
        url: str,
        *,
        accept: frozenset[str] | None = None,
        etag: str | None = None,
        last_modified: str | None = None,
    ) -> Fetched:
        """Return the content of `url`; see the port."""
        conditions = {"If-None-Match": etag, "If-Modified-Since": last_modified}
        headers = {name: value for name, value in conditions.items() if value and _is_plain(value)}
        headers["Accept"] = ", ".join(sorted(accept)) if accept else "*/*"
        target, answered = self._follow(url, headers, accept)
        if answered.status == HTTPStatus.NOT_MODIFIED and (etag or last_modified):
            return Fetched(target.url, answered.status, etag=etag, last_modified=last_modified, not_modified=True)
        if answered.status != HTTPStatus.OK:
            raise _refusal(target, answered.status)
        return Fetched(
            url=target.url,
            status=answered.status,
            body=answered.body,
            media_type=answered.media_type,
            charset=httpx.Response(HTTPStatus.OK, headers=answered.headers).charset_encoding,
            etag=_validator(answered, "etag"),
            last_modified=_validator(answered, "last-modified"),
        )

    def _follow(self, url: str, headers: dict[str, str], accept: frozenset[str] | None) -> tuple[Target, Answered]:
        target = self._policy.check(url)
        for _ in range(1 + MOST_REDIRECTS):
            rules = self._rules_of(target)
            if not rules.allow(target.url):
                why = f"the site's robots.txt asks {AGENT} not to fetch it; ask its owner, or import the text"
                raise FetchRefused(target.url, Reason.ROBOTS, why)
            delay = min(rules.delay, MOST_DELAY_SECONDS)
            answered = self._wire.get(target, headers, accept, delay)
            if answered.status not in _REDIRECTS:
                return target, answered
            target = self._next(target, answered)
        raise FetchRefused(url, Reason.REDIRECTS, f"it redirects more than {MOST_REDIRECTS} times")

    def _next(self, target: Target, answered: Answered) -> Target:
        place = answered.header("location").strip()
        if not place:
            raise FetchRefused(target.url, Reason.REDIRECTS, "it redirects without saying where to")
        try:
            url = urljoin(target.url, place.replace(" ", "%20"))
        except ValueError as error:
            raise FetchRefused(target.url, Reason.REDIRECTS, f"it redirects to {place[:200]!r}, no URL") from error
        following = self._policy.check(url)
        if (target.scheme, following.scheme) == ("https", "http"):
            why = "it is a redirect from https to http, where anybody could have written it; give the http link itself"
            raise FetchRefused(following.url, Reason.DOWNGRADE, why)
        return following

    def _rules_of(self, target: Target) -> Rules:
        """Return what the site's robots.txt says; an absent one allows everything, an unreachable one nothing yet."""
        origin = f"{target.scheme}://{target.authority}"
        now = self._clock.monotonic()
        with self._rules_lock:
            known = self._rules.get(origin)
        if known is not None and now < known.until:
            return known.rules
        robots = self._policy.check(f"{origin}/robots.txt")
        for _ in range(1 + MOST_REDIRECTS):
            answered = self._wire.get(robots, {"Accept": "text/plain, */*"}, None)
            if answered.status not in _REDIRECTS:
                break
            robots = self._next(robots, answered)
        found = Rules(answered.body.decode("utf-8-sig", "replace") if answered.status == HTTPStatus.OK else "")
        with self._rules_lock:
            kept = {place: rules for place, rules in self._rules.items() if rules.until > now}
            self._rules = dict(list(kept.items())[-_MOST_RULES:]) | {origin: _KnownRules(found, now + _RULES_SECONDS)}
        return found


def _refusal(target: Target, status: int) -> FetchRefused:
    answer = f"it answers {named(status)}"
    if status in _GONE:
        return FetchRefused(target.url, Reason.GONE, f"{answer}: the page is not there, or no longer")
    if status in _FORBIDDEN:
        return FetchRefused(target.url, Reason.FORBIDDEN, f"{answer}: the site does not show it to everybody")
    return FetchRefused(target.url, Reason.STATUS, f"{answer}, which is no page")


def _validator(answered: Answered, name: str) -> str | None:
    value = answered.header(name)
    return value if value and len(value) <= _MAX_VALIDATOR and _is_plain(value) else None


def _is_plain(value: str) -> bool:
    return value.isascii() and value.isprintable()
