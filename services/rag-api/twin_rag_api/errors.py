"""Errors of the REST API: each is one answer to the client, with its status and what to do instead."""

from collections.abc import Iterable
from typing import ClassVar

from twin_contracts.base import AuthorId, DocumentId
from twin_platform.errors import PermanentError, TransientError


class ApiError(PermanentError):
    """A request that is refused; the sentence is shown to who sent it."""

    status: ClassVar[int]
    code: ClassVar[str | None] = None
    """OpenAI's code, where its clients look for one."""
    field: str | None = None
    """What of the request is wrong, OpenAI's `param`; None where it is no one field."""


class KeyRefused(ApiError):
    """The request carries no key, or none that opens anything."""

    status = 401
    code = "invalid_api_key"

    def __init__(
        self,
        why: str = "this route wants the header 'Authorization: Bearer <key>' with a valid key: "
        "the installation's own, which `twin up` writes into the data folder, or one of `twin keys create`",
    ) -> None:
        super().__init__(why)


class KeyRevoked(KeyRefused):
    """The key was valid once; who holds it may know."""

    def __init__(self) -> None:
        super().__init__("this key was revoked; ask who runs this installation for another one")


class KeyExpired(KeyRefused):
    """The key's time is up."""

    def __init__(self) -> None:
        super().__init__("this key has expired; ask who runs this installation for another one")


class KeyTaken(ApiError):
    """A valid key has the name already."""

    status = 409


class KeyUnknown(ApiError):
    """No valid key has the name."""

    status = 404


class BodyTooLarge(ApiError):
    """A body above what any document may have."""

    status = 413

    def __init__(self, limit: int, size: int | None = None) -> None:
        self.limit, self.size = limit, size
        has = f"has {size:,} bytes, more than the" if size else "is above the"
        super().__init__(
            f"the request body {has} {limit:,} that are read; a document has at most 8 MiB: split it, or, where JSON's "
            "escapes make it longer than its text, send the text itself with 'Content-Type: text/markdown'"
        )


class InvalidRequest(ApiError):
    """A body or parameter that is well-formed and still makes no sense; `field` says which."""

    status = 422

    def __init__(self, field: str, why: str) -> None:
        self.field = field
        super().__init__(f"{field}: {why}")


class TitleMissing(InvalidRequest):
    """An article without a title, nor any text to take one from."""

    def __init__(self) -> None:
        super().__init__("title", "an article needs one: give 'title', or a text with a first line")


class AuthorNotOfKey(InvalidRequest):
    """A document under a name that the key does not write for; whether anybody goes by it is not said."""

    def __init__(self, authors: Iterable[AuthorId]) -> None:
        self.authors = sorted(authors)
        super().__init__("author", f"this key writes only for {', '.join(map(repr, self.authors))}; give one of these")


class CrawlUnknown(ApiError):
    """No such crawl, or no longer."""

    status = 404

    def __init__(self, job_id: DocumentId) -> None:
        self.job_id = job_id
        super().__init__(
            f"there is no crawl {job_id!r}; it was never asked for here, or it was finished more than a week ago; "
            "POST /v1/crawls asks for one"
        )


class ReemissionUnknown(ApiError):
    """No such request, or no longer."""

    status = 404

    def __init__(self, request_id: DocumentId) -> None:
        self.request_id = request_id
        super().__init__(
            f"there is no re-emission {request_id!r}; it was never asked for here, or it was finished more than a week "
            "ago; POST /v1/reemissions asks for one"
        )


class AuditUnknown(ApiError):
    """No such audit, or no longer."""

    status = 404

    def __init__(self, audit_id: DocumentId) -> None:
        self.audit_id = audit_id
        super().__init__(
            f"there is no audit {audit_id!r}; it was never asked for here, or it was finished more than a week ago; "
            "POST /v1/audits asks for one"
        )


class MessageUnknown(ApiError):
    """No such unreadable message."""

    status = 404

    def __init__(self, message_id: DocumentId) -> None:
        self.message_id = message_id
        super().__init__(f"there is no unreadable message {message_id!r}; GET /v1/parked lists what was kept")


class MediaTypeUnknown(ApiError):
    """A body that is neither JSON nor text."""

    status = 415

    def __init__(self, given: str, known: Iterable[str]) -> None:
        self.given = given
        super().__init__(f"the header 'Content-Type: {given}' is none of these: {', '.join(known)}")


class DocumentUnknown(ApiError):
    """No such document, or no longer."""

    status = 404

    def __init__(self, document_id: DocumentId) -> None:
        self.document_id = document_id
        super().__init__(
            f"there is no document {document_id!r}; it was never stored here, or it is deleted; "
            "GET /v1/documents lists what there is"
        )


class AuthorUnknown(ApiError):
    """Nothing by that author is here, or nothing that the key may see."""

    status = 404

    def __init__(self, author: AuthorId) -> None:
        self.author = author
        super().__init__(f"there is no author {author!r}; GET /v1/authors lists who there is")


class TooLittleText(ApiError):
    """An author has too little prose for a style card."""

    status = 409

    def __init__(self, author: str, words: int, needed: int) -> None:
        self.author, self.words, self.needed = author, words, needed
        super().__init__(
            f"{author} has {words:,} indexed words of prose, and a style card wants {needed:,}: "
            "add posts or articles of theirs; code, lists and quotations do not count"
        )


class ModelUnknown(ApiError):
    """A model name that is neither `twin` nor `twin:<author>`."""

    status = 404
    code = "model_not_found"
    field = "model"

    def __init__(self, model: str) -> None:
        self.model = model
        super().__init__(f"there is no model {model!r}; GET /v1/models lists 'twin' and one per author")


class ModelFailed(TransientError):
    """A language model that gave no whole reply; `why` is fit for the reader of an answer."""

    def __init__(self, model: str, why: str) -> None:
        self.model, self.why = model, why
        super().__init__(f"the language model {model} {why}")


class ModelNotChosen(PermanentError):
    """A server of language models offers several, or none, and the settings name none."""

    def __init__(self, host: str, served: list[str]) -> None:
        self.host, self.served = host, served
        offer = f"serves {', '.join(sorted(served))}" if served else "serves no model yet"
        super().__init__(f"the language model server at {host} {offer}; set LLM_MODEL to the one to use")
