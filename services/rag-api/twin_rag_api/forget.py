"""Route that forgets an author: every document of theirs is deleted, and its traces follow."""

from typing import Annotated, Final

from fastapi import APIRouter, Path

from twin_contracts.authors import Forgotten
from twin_contracts.base import AuthorId
from twin_contracts.records import RecordStatus
from twin_platform.records.authors import known_id, spellings
from twin_platform.records.crawls import forget_crawls_of
from twin_rag_api.access import KeyAccess
from twin_rag_api.errors import AuthorUnknown
from twin_rag_api.parts import Parts

_PAGE: Final = 20
"""Documents that are read at a time, up to 8 MiB each."""


class ForgetRoutes:
    """Deletions are the documents' own: each one reaches the snapshots as if it had been asked for by itself."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def router(self) -> APIRouter:
        """Return the route of `DELETE /v1/authors/{id}`."""
        router = APIRouter(tags=["authors"])
        router.add_api_route("/v1/authors/{id}", self.forget, methods=["DELETE"], status_code=202)
        return router

    def forget(self, author_id: Annotated[AuthorId, Path(alias="id")], access: KeyAccess) -> Forgotten:
        """Delete every document of an author. Cut short, it is finished by repeating it; 404 says that all is gone."""
        author = known_id(self._parts.records, author_id)
        if not access.sees(author):
            raise AuthorUnknown(author_id)
        deleted = 0
        while page := self._parts.documents.find(author=author, limit=_PAGE):
            deleted += sum(self._parts.documents.delete(document.id) for document in page)
        merged = [one for one, into in spellings(self._parts.records).items() if into.id == author]
        for name in (author, *merged):
            forget_crawls_of(self._parts.records, name)
        remaining = self._parts.features.count_records(RecordStatus.INDEXED, frozenset({author}))
        if not deleted and not remaining:
            raise AuthorUnknown(author_id)
        return Forgotten(author=author, deleted=deleted, remaining=remaining)
