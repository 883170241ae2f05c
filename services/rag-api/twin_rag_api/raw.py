"""A client's document to a raw document."""

import html
import re

from twin_contracts.base import DocumentId
from twin_contracts.documents import (
    AuthorRef,
    DocumentType,
    Raw,
    RawArticle,
    RawCode,
    RawPost,
    Source,
    TextFormat,
    document_id_of_client,
)
from twin_contracts.http import DocumentInput
from twin_platform.titles import title_of
from twin_rag_api.errors import InvalidRequest, TitleMissing

_DOCUMENT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]++(.{1,1000})", re.MULTILINE)
_TAG = re.compile(r"<[^<>]*>")
_MAX_TITLE = 200
"""Of a title that was taken from the text, in code points; a given one is kept whole."""


def resolve(given_id: str) -> DocumentId:
    """Return the document id behind a path's `{id}`: itself, or the one of a client's own id."""
    return given_id if _DOCUMENT_ID.fullmatch(given_id) else document_id_of_client(given_id)


def raw_document(document_id: DocumentId, given: DocumentInput, owner: AuthorRef) -> Raw:
    """Return what the store keeps of `given`; without an author it is the owner's.

    Raises:
        InvalidRequest: its type needs something that is not there (`TitleMissing` is one).
    """
    author = AuthorRef.of(given.author) if given.author else owner
    source = Source(platform=given.platform, url=given.url)
    shared = {"id": document_id, "author": author, "source": source, "text": given.text}
    shared |= {"language": given.language, "published_at": given.published_at}
    match given.type:
        case DocumentType.POST:
            return RawPost.model_validate(shared | {"format": given.format})
        case DocumentType.ARTICLE:
            title = given.title or _title_in(given.text, given.format)
            return RawArticle.model_validate(
                shared | {"format": given.format, "title": title, "subtitle": given.subtitle}
            )
        case DocumentType.CODE:
            place = {"repository": given.repository, "path": given.path}
            for field, value in place.items():
                if not value:
                    raise InvalidRequest(field, "a document of type 'code' needs it, not empty")
            return RawCode.model_validate(shared | place)


def _title_in(text: str, text_format: TextFormat) -> str:
    """Return what the text calls itself, else its first heading, else its first line."""
    title = title_of(text, text_format) or ""
    if not title and text_format is TextFormat.HTML:
        text = html.unescape(_TAG.sub(" ", text))
    elif not title and (heading := _HEADING.search(text)):
        title = heading[1].strip(" \t#")
    title = title or next((line for line in text.splitlines() if line.strip()), "")
    if not (title := " ".join(title.split())):
        raise TitleMissing
    return title[:_MAX_TITLE]
