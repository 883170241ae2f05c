"""What the key of a request may see."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from twin_contracts.base import AuthorId
from twin_contracts.http import SearchFilters


@dataclass(frozen=True)
class Access:
    """A key's name and its authors. What another author wrote is, for a bound key, not there."""

    key_name: str
    authors: frozenset[AuthorId] | None
    """None: everything."""

    def sees(self, author: AuthorId) -> bool:
        """Return whether documents of this author exist for the key."""
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


def access_of(request: Request) -> Access:
    """Return the access that the gate has found for the request's key."""
    access: Access = request.state.access
    return access


KeyAccess = Annotated[Access, Depends(access_of)]
"""As a route's parameter."""
