"""Routes of authors: who there is, whose installation it is, spellings to join, the style card."""

from typing import Annotated, Final

from fastapi import APIRouter, Path

from twin_contracts.authors import AuthorEntry, AuthorList, Merged, MergeInput, OwnerInput
from twin_contracts.base import AuthorId
from twin_contracts.documents import AuthorRef
from twin_contracts.http import Problem
from twin_contracts.style import StyleCard
from twin_platform.records.authors import known_as, known_id, merge_authors, set_owner, spellings
from twin_rag_api.access import Access, KeyAccess, OwnAccess, WholeAccess
from twin_rag_api.errors import AuthorUnknown, InvalidRequest
from twin_rag_api.parts import Parts
from twin_rag_api.style import read_texts, style_card

_STEP: Final = 500
"""Documents that one call of a merge moves; some seconds on a slow disk."""

_UNKNOWN = {"model": Problem, "description": "There is no such author, or none that the key sees."}
_TOO_LITTLE = {"model": Problem, "description": "Too little prose by this author for a style card."}


class AuthorRoutes:
    """Names are display names or ids; an author who was merged goes by the other name everywhere."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def router(self) -> APIRouter:
        """Return the routes below `/v1/authors`, and `/v1/owner`."""
        router = APIRouter(tags=["authors"])
        router.add_api_route("/v1/authors", self.list, methods=["GET"])
        router.add_api_route("/v1/owner", self.owner, methods=["GET"])
        router.add_api_route("/v1/owner", self.set_owner, methods=["PUT"])
        router.add_api_route("/v1/authors/merge", self.merge, methods=["POST"])
        router.add_api_route(
            "/v1/authors/{id}/style", self.style, methods=["GET"], responses={404: _UNKNOWN, 409: _TOO_LITTLE}
        )
        return router

    def list(self, access: KeyAccess) -> AuthorList:
        """Return everybody with a document, and the owner, by id."""
        joined = spellings(self._parts.records)
        owner = self._parts.default_author()
        counts = {count.author.id: (count.author, count.documents) for count in self._parts.documents.authors()}
        counts.setdefault(owner.id, (owner, 0))
        return AuthorList(
            items=tuple(
                AuthorEntry(
                    author=author,
                    documents=documents,
                    owner=author.id == owner.id,
                    spellings=tuple(merged for merged, into in joined.items() if into.id == author.id),
                )
                for _, (author, documents) in sorted(counts.items())
                if access.sees(author.id)
            )
        )

    def owner(self, _access: OwnAccess) -> AuthorRef:
        """Return whose installation this is. Only for its own key."""
        return self._parts.default_author()

    def set_owner(self, given: OwnerInput, _access: OwnAccess) -> AuthorRef:
        """Say whose installation this is: texts without an author are theirs from now on, and so is `twin`.

        Only for its own key.
        """
        owner = known_as(self._parts.records, self._named(given.name))
        set_owner(self._parts.records, owner)
        return owner

    def merge(self, given: MergeInput, _access: WholeAccess) -> Merged:
        """Make what is the source's the target's, now and later. Repeat it until nothing is left."""
        source, target = self._named(given.source), self._named(given.target)
        known = known_as(self._parts.records, target)
        target = target if known.id == source.id else known  # the other way round than before
        if source.id == target.id:
            raise InvalidRequest(field="target", why=f"{given.source!r} and {given.target!r} are one author already")
        moved = merge_authors(self._parts.documents, self._parts.records, source, target, limit=_STEP)
        left = [count.documents for count in self._parts.documents.authors() if count.author.id == source.id]
        return Merged(author=target, moved=moved, left=sum(left))

    def style(self, author_id: Annotated[AuthorId, Path(alias="id")], access: KeyAccess) -> StyleCard:
        """Return the author's measurable habits, computed now from the texts in force."""
        author = find_author(self._parts, author_id, access)
        return style_card(author, read_texts(self._parts.features, author.id))

    def _named(self, name: str) -> AuthorRef:
        """Return the author of a display name, or of an id under which there are documents."""
        given = AuthorRef.of(name)
        if given.id != name:
            return given
        return next((one.author for one in self._parts.documents.authors() if one.author.id == name), given)


def find_author(parts: Parts, author_id: AuthorId, access: Access) -> AuthorRef:
    """Return the author with this id: the owner, or somebody with documents.

    Raises:
        AuthorUnknown: there is none, or the key does not see them.
    """
    known = known_id(parts.records, author_id)
    there = {count.author.id: count.author for count in parts.documents.authors()}
    there.setdefault(parts.default_author().id, parts.default_author())
    if known not in there or not access.sees(known):
        raise AuthorUnknown(author_id)
    return there[known]
