"""Authors over HTTP: who there is, whose installation it is, and spellings that are joined."""

from typing import Annotated

from pydantic import ConfigDict, NonNegativeInt, StringConstraints

from twin_contracts.base import AuthorId, Contract, Text
from twin_contracts.documents import AuthorRef

AuthorName = Annotated[Text, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
"""A display name, or the id of an author who has documents."""


class AuthorEntry(Contract):
    """One author."""

    author: AuthorRef
    documents: NonNegativeInt
    """Documents in the store."""
    owner: bool
    """Whether style, drafts and the model name `twin` mean them."""
    spellings: tuple[AuthorId, ...] = ()
    """Other authors' ids that were merged into this one."""


class AuthorList(Contract):
    """Body of `GET /v1/authors`: everybody with a document, and the owner."""

    items: tuple[AuthorEntry, ...]


class OwnerInput(Contract):
    """Body of `PUT /v1/owner`."""

    model_config = ConfigDict(extra="forbid")

    name: AuthorName


class MergeInput(Contract):
    """Body of `POST /v1/authors/merge`: what is `source`'s becomes `target`'s, now and later."""

    model_config = ConfigDict(extra="forbid")

    source: AuthorName
    target: AuthorName


class Forgotten(Contract):
    """What `DELETE /v1/authors/{id}` did; repeated until it is 404 it says when all is gone."""

    author: AuthorId
    deleted: NonNegativeInt
    """Documents of this call."""
    remaining: NonNegativeInt
    """Documents that can still be found, their deletion being on its way to the snapshots."""


class Merged(Contract):
    """What a merge did."""

    author: AuthorRef
    """Whose the documents are now."""
    moved: NonNegativeInt
    """Documents of this call."""
    left: NonNegativeInt
    """Documents that another call moves: one call ends in time."""
