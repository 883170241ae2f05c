"""Errors of the REST API: each is one answer to the client, with its status and what to do instead."""

from typing import ClassVar

from twin_contracts.base import DocumentId
from twin_platform.errors import PermanentError, TransientError


class ApiError(PermanentError):
    """A request that is refused; the sentence is shown to who sent it."""

    status: ClassVar[int]
    code: ClassVar[str | None] = None
    """OpenAI's code, where its clients look for one."""


class KeyRefused(ApiError):
    """The request carries no key, or another one."""

    status = 401
    code = "invalid_api_key"

    def __init__(self) -> None:
        super().__init__(
            "this route wants the header 'Authorization: Bearer <key>' with this installation's key; "
            "`twin up` writes it into the data folder"
        )


class BodyTooLarge(ApiError):
    """A body above what any document may have."""

    status = 413

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"the request body is above {limit:,} bytes; a document has at most 8 MiB: split it")


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


class DocumentUnknown(ApiError):
    """No such document, or no longer."""

    status = 404

    def __init__(self, document_id: DocumentId) -> None:
        self.document_id = document_id
        super().__init__(
            f"there is no document {document_id!r}; it was never stored here, or it is deleted; "
            "GET /v1/documents lists what there is"
        )


class ModelUnknown(ApiError):
    """A model name that is neither `twin` nor `twin:<author>`."""

    status = 404
    code = "model_not_found"

    def __init__(self, model: str) -> None:
        self.model = model
        super().__init__(f"there is no model {model!r}; GET /v1/models lists 'twin' and one per author")


class ModelFailed(TransientError):
    """A language model that gave no whole reply; `why` is fit for the reader of an answer."""

    def __init__(self, model: str, why: str) -> None:
        self.model, self.why = model, why
        super().__init__(f"the language model {model} {why}")
