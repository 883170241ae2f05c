"""Raw documents: what a crawler, an import or a client hands to the document store."""

import hashlib
import re
import unicodedata
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, TypeAdapter

from twin_contracts.base import AuthorId, Contract, Digest, DocumentId, Instant, Text, uuid_of

MAX_DOCUMENT_BYTES = 8 * 1024 * 1024
"""Largest serialised raw document; above it a store refuses, so that one event always fits its transport."""

_DOCUMENT_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

_NOT_CONTENT: dict[str, set[str] | bool] = {"source": {"fetched_at", "etag"}, "committed_at": True}
"""Fields that reach no snapshot: a change in them alone is no change."""


class DocumentType(StrEnum):
    """The three kinds of text. The platform a text came from is only metadata."""

    POST = "post"
    ARTICLE = "article"
    CODE = "code"


class TextFormat(StrEnum):
    """How the raw text is marked up; the clean stage turns each into Markdown or plain text."""

    PLAIN = "plain"
    MARKDOWN = "markdown"
    HTML = "html"


class AuthorRef(Contract):
    """Whose text it is."""

    id: AuthorId
    name: Annotated[Text, StringConstraints(min_length=1, max_length=200)]

    @classmethod
    def of(cls, name: str) -> "AuthorRef":
        """Return the author of a display name; the id is its slug, so that spellings differing in case agree.

        Where letters have no place in a slug, part of a hash stands for them: two such names stay two authors.
        """
        spelling = " ".join(name.split())
        folded = unicodedata.normalize("NFKD", spelling.casefold())
        slug = re.sub(r"[^a-z0-9]+", "-", folded.encode("ascii", "ignore").decode()).strip("-")[:80]
        if not slug or any(letter.isalpha() and not letter.isascii() for letter in folded):
            slug = f"{slug or 'author'}-{uuid_of('author', folded)[:8]}"
        return cls(id=slug, name=spelling[:200] or "Unknown")


class Source(Contract):
    """Where a raw document came from."""

    platform: Annotated[Text, StringConstraints(min_length=1, max_length=100)]
    url: Annotated[Text, StringConstraints(max_length=4000)] | None = None
    fetched_at: Instant | None = None
    etag: Annotated[Text, StringConstraints(max_length=500)] | None = None


class _Raw(Contract):
    id: DocumentId
    author: AuthorRef
    source: Source
    text: Text
    language: Annotated[Text, StringConstraints(max_length=40)] | None = None
    """Natural language (BCP 47) of prose, programming language of code; None where unknown."""
    published_at: Instant | None = None
    committed_at: Instant | None = None
    """Stamped by the document store when it commits; what a writer sends is ignored."""


class RawPost(_Raw):
    """A short text without a title of its own."""

    type: Literal[DocumentType.POST] = DocumentType.POST
    format: TextFormat = TextFormat.PLAIN


class RawArticle(_Raw):
    """A titled text, in Markdown where its source has any structure."""

    type: Literal[DocumentType.ARTICLE] = DocumentType.ARTICLE
    title: Annotated[Text, StringConstraints(max_length=1000)]
    subtitle: Annotated[Text, StringConstraints(max_length=2000)] | None = None
    format: TextFormat = TextFormat.MARKDOWN


class RawCode(_Raw):
    """One source file of a repository."""

    type: Literal[DocumentType.CODE] = DocumentType.CODE
    repository: Annotated[Text, StringConstraints(max_length=1000)]
    path: Annotated[Text, StringConstraints(max_length=1000)]


Raw = RawPost | RawArticle | RawCode
RawDocument = Annotated[Raw, Field(discriminator="type")]
"""Any raw document, told apart by `type`."""
RAW_DOCUMENT: TypeAdapter[Raw] = TypeAdapter(RawDocument)
"""Parses and dumps any raw document by its `type`."""


def content_hash(document: Raw) -> Digest:
    """Return the hash of every raw field that reaches a snapshot.

    Two crawls that differ only in `fetched_at`, `etag` or `committed_at` hash alike: the second writes nothing.
    An absent field leaves no trace, so that a later release may add one and what is stored keeps its hash.
    """
    return hashlib.sha256(document.model_dump_json(exclude=_NOT_CONTENT, exclude_none=True).encode()).hexdigest()


def title_of(document: Raw) -> str | None:
    """Return what a citation calls the document: an article's title, a source file's path, nothing for a post."""
    match document:
        case RawArticle():
            return document.title
        case RawCode():
            return document.path
        case RawPost():
            return None


def document_id_of(key: str) -> DocumentId:
    """Return the id of a canonical source URL or platform-native id."""
    return uuid_of("document", key)


def document_id_of_client(client_id: str) -> DocumentId:
    """Return the id behind a client's own identifier, as used in `/v1/documents/{id}`."""
    return uuid_of("client", client_id)


def told_id(stored_id: str) -> DocumentId:
    """Return the id under which events and records tell what a store holds under this one.

    It is itself, or derived from it where some other program wrote under something that is no document id.
    """
    return stored_id if _DOCUMENT_ID.fullmatch(stored_id) else uuid_of("foreign", stored_id)
