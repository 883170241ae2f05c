"""What the key of a request may see."""

import hmac
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request

from twin_contracts.base import AuthorId
from twin_contracts.documents import AuthorRef
from twin_contracts.http import SearchFilters
from twin_platform.records.authors import known_id
from twin_platform.records.keys import ApiKey, find_key
from twin_platform.records.port import RecordStore
from twin_platform.telemetry.clock import Clock
from twin_rag_api.errors import KeyExpired, KeyRefused, KeyRevoked


@dataclass(frozen=True)
class Access:
    """A key's name and its authors. What another author wrote is, for a bound key, not there."""

    key_name: str
    authors: frozenset[AuthorId] | None
    """None: everything."""
    own: bool = False
    """Whether it is the installation's own key, which alone makes others."""

    def sees(self, author: AuthorId | None) -> bool:
        """Return whether documents of this author exist for the key; None: nobody knows any more whose they are."""
        return self.authors is None or author in self.authors

    def narrow(self, filters: SearchFilters) -> SearchFilters | None:
        """Return the filters restricted to what the key may see; None where nothing can match."""
        bounds = [set(bound) for bound in (filters.authors, self.authors) if bound is not None]
        if filters.author is not None:
            bounds.append({filters.author})
        if not bounds:
            return filters
        authors = set.intersection(*bounds)
        return filters.model_copy(update={"author": None, "authors": tuple(sorted(authors))}) if authors else None


def sees_crawl_of(access: Access, records: RecordStore, author: AuthorRef | None) -> bool:
    """Return whether a crawl for this author exists for the key: it stays under the name that it was asked with."""
    known = None if access.authors is None or author is None else known_id(records, author.id)
    return access.sees(known)


async def access_of(request: Request) -> Access:
    """Return the access that the gate has found for the request's key. Async, so that it costs no thread."""
    access: Access = request.state.access
    return access


async def whole_access_of(request: Request) -> Access:
    """Return the access of a key that is bound to no author; for any other one the route does not exist."""
    access = await access_of(request)
    if access.authors is not None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return access


async def own_access_of(request: Request) -> Access:
    """Return the access of the installation's own key; for any other one the route does not exist."""
    access = await access_of(request)
    if not access.own:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return access


KeyAccess = Annotated[Access, Depends(access_of)]
"""As a route's parameter."""
WholeAccess = Annotated[Access, Depends(whole_access_of)]
"""As a parameter of a route that is about the whole installation."""
OwnAccess = Annotated[Access, Depends(own_access_of)]
"""As a parameter of a route about whose the installation is, and who else may use it."""


@dataclass(frozen=True)
class Keys:
    """The installation's own key, and those of `twin keys`: created or revoked, they count from the next request."""

    own: str
    records: RecordStore
    clock: Clock

    async def access(self, text: str) -> Access:
        """Return what the key opens.

        Raises:
            KeyRefused: there is no such key, or it is revoked or expired, which only who holds it learns.
        """
        if hmac.compare_digest(text.encode(), self.own.encode()):
            return Access(key_name="owner", authors=None, own=True)
        return await run_in_threadpool(self._stored, text)

    def _stored(self, text: str) -> Access:
        key = find_key(self.records, text)
        if key is None:
            raise KeyRefused
        if key.revoked_at is not None:
            raise KeyRevoked
        if key.is_expired(self.clock.now()):
            raise KeyExpired
        return Access(key_name=key.name, authors=self._authors(key))

    def _authors(self, key: ApiKey) -> frozenset[AuthorId] | None:
        """Return whose documents the key sees; an author who was merged goes by the other name."""
        if key.authors is None:
            return None
        return frozenset(known_id(self.records, author) for author in key.authors)
