"""Route of drafts."""

import asyncio
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from twin_contracts.documents import AuthorRef
from twin_contracts.drafts import DraftRequest, DraftResult
from twin_contracts.http import Problem, SearchFilters
from twin_contracts.style import StyleCard
from twin_rag_api.access import Access, KeyAccess
from twin_rag_api.authors import find_author
from twin_rag_api.draft import Assignment, gather, outline, write_draft
from twin_rag_api.errors import InvalidRequest, TooLittleText
from twin_rag_api.gone import GONE, unless_gone
from twin_rag_api.parts import Parts
from twin_rag_api.retrieve import Retriever
from twin_rag_api.style import read_texts, style_card

_UNKNOWN: Final = {"model": Problem, "description": "There is no such author, or none that the key sees."}
_FAILED: Final = {"model": Problem, "description": "The language model gave no whole reply; `detail` says why."}


class DraftRoutes:
    """Nothing is kept of a draft."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._retrieve = Retriever(parts.features, parts.embedder)

    def router(self) -> APIRouter:
        """Return the route `/v1/drafts`."""
        router = APIRouter(tags=["drafts"])
        router.add_api_route(
            "/v1/drafts",
            self.draft,
            methods=["POST"],
            response_model=DraftResult,
            responses={404: _UNKNOWN, 502: _FAILED},
        )
        return router

    async def draft(self, request: DraftRequest, http: Request, access: KeyAccess) -> DraftResult | Response:
        """Write about a topic in an author's voice, every fact cited; without a language model, outline it."""
        assignment = await asyncio.to_thread(self._assignment, request, access)
        if self._parts.model is None:
            return await asyncio.to_thread(outline, assignment, self._retrieve)
        material = await asyncio.to_thread(gather, assignment, self._retrieve)
        writing = write_draft(assignment, material, self._parts.model, self._parts.embedder.tokenizer)
        return await unless_gone(http, writing) or Response(status_code=GONE)

    def _assignment(self, request: DraftRequest, access: Access) -> Assignment:
        author = find_author(self._parts, request.author, access) if request.author else self._owner(access)
        of_author = SearchFilters(author=author.id if request.author else None)
        card, why = self._card(author) if request.voice == "author" and self._parts.model else (None, None)
        return Assignment(request, author, card, access.narrow(of_author), (why,) if why else ())

    def _owner(self, access: Access) -> AuthorRef:
        owner = self._parts.default_author()
        if not access.sees(owner.id):
            raise InvalidRequest(field="author", why="this key does not see the owner's texts; say whose voice to use")
        return owner

    def _card(self, author: AuthorRef) -> tuple[StyleCard | None, str | None]:
        """Return the style card, or why there is none; a draft does without it."""
        try:
            return style_card(author, read_texts(self._parts.features, author.id)), None
        except TooLittleText as error:
            return None, f"written without a style card: {error}"
