"""Calls to a Qdrant server: where it is, what is tried again and for how long, what its refusals mean."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from qdrant_client.common.client_exceptions import QdrantException, ResourceExhaustedResponse
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse
from qdrant_client.qdrant_remote import QdrantRemote

from twin_platform.features.errors import (
    CollectionMissing,
    FeaturesRefused,
    FeaturesUnavailable,
    PointRefused,
    VectorsUrlUnreadable,
)

T = TypeVar("T")
FIRST_BACKOFF, LAST_BACKOFF = 0.1, 1.0

_POLL_SECONDS = 0.1
_PORT = 6333
_NOT_FOUND = 404
_NEVER_WRITTEN = frozenset({400, 413, 422})
"""Of a write: what it says, its size or its form will be refused every time."""
_MAY_PASS = frozenset({408, 425, 429})
_SERVER_ERRORS = 500


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for."""

    answer_seconds: int
    """An answer that has not come by then has failed."""
    again_seconds: float
    """So long a call is tried again."""
    stopping: Callable[[], bool] = lambda: False
    """Ends the trying at once."""


class Link:
    """The client, and the only place that calls it. Any number of threads.

    Args:
        url: `http://host:6333` or `https://:api-key@host:6333`; a path is put before every request's.

    Raises:
        VectorsUrlUnreadable: it is no address.

    A repeated write does no harm, even where the one that got no answer is carried out later: each has its conditions.
    """

    def __init__(self, url: str, patience: Patience) -> None:
        parts = _parts(url)
        key = unquote(parts.password or parts.username or "")
        self._patience = patience
        self._closed = False
        # Not the client that stands in front of this one: that looks through every point for something to embed.
        self._client = QdrantRemote(
            url=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}",
            port=_PORT,
            headers={"api-key": key} if key else {},
            timeout=patience.answer_seconds,
            check_compatibility=False,  # it would ask in a thread of its own; `qdrant_collections` says what will do
        )

    def __call__(self, tried: str, request: Callable[[QdrantRemote], T]) -> T:
        """Return the answer to a reading request.

        Raises:
            FeaturesUnavailable: there was none, for as long as it was tried again.
            CollectionMissing: the server knows no such collection.
            FeaturesRefused: it understands the request and refuses it.
        """
        deadline, backoff = time.monotonic() + self._patience.again_seconds, FIRST_BACKOFF
        while True:
            try:
                return request(self._client)
            except (ApiException, QdrantException) as error:
                why, pause = _reason(error, tried), max(backoff, _asked_pause(error))
                if self._closed or not self._rest(pause, deadline):
                    raise FeaturesUnavailable(why, tried) from error
            backoff = min(2 * backoff, LAST_BACKOFF)

    def write(self, tried: str, request: Callable[[QdrantRemote], T]) -> T:
        """Return the answer to a write; as a call, but raises `PointRefused` where it can never be written."""
        try:
            return self(tried, request)
        except FeaturesRefused as error:
            if error.status in _NEVER_WRITTEN:
                raise PointRefused(error.why) from error
            raise

    def close(self) -> None:
        """Let go of the connections. Idempotent."""
        self._closed = True
        self._client.close()

    def _rest(self, pause: float, deadline: float) -> bool:
        """Wait, and return whether to try again."""
        end = time.monotonic() + pause
        while end < deadline and not self._patience.stopping():
            left = end - time.monotonic()
            if left <= 0:
                return True
            time.sleep(min(left, _POLL_SECONDS))
        return False


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        if parts.hostname and parts.port != 0:  # asking for the port checks it
            return parts
    except ValueError:
        pass  # it may quote the key
    raise VectorsUrlUnreadable


def _reason(error: ApiException | QdrantException, tried: str) -> str:
    """Return why there is no answer now; raises where there was one that will not change."""
    if isinstance(error, ResponseHandlingException):
        return f"{type(error.source).__name__}: {error.source}"
    if not isinstance(error, UnexpectedResponse):
        return str(error)
    status, why = error.status_code or 0, f"{error.status_code} {_said(error.content)}"
    if status == _NOT_FOUND:
        raise CollectionMissing(why, tried) from error
    if status < _SERVER_ERRORS and status not in _MAY_PASS:
        raise FeaturesRefused(tried, why, status) from error
    return why


def _asked_pause(error: ApiException | QdrantException) -> float:
    return float(error.retry_after_s) if isinstance(error, ResourceExhaustedResponse) else 0.0


def _said(body: bytes) -> str:
    """Return the server's own words, or the beginning of what something before it said."""
    try:
        return str(json.loads(body)["status"]["error"])[:500]
    except (ValueError, KeyError, TypeError):
        return repr(body[:200])
