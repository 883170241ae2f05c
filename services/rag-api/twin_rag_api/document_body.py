"""The body of a PUT: a document as JSON, or its text itself as a file."""

import json
from email.message import Message
from typing import Annotated, Final

from fastapi import Depends, Query
from fastapi.exceptions import RequestValidationError
from pydantic import JsonValue, ValidationError
from starlette.requests import Request

from twin_contracts.documents import TextFormat
from twin_contracts.http import DocumentInput, DocumentOptions
from twin_rag_api.errors import InvalidRequest, MediaTypeUnknown

_JSON: Final = "application/json"
_TEXT: Final = {
    "text/markdown": TextFormat.MARKDOWN,
    "text/plain": TextFormat.PLAIN,
    "text/html": TextFormat.HTML,
}

BODY: Final[dict[str, JsonValue]] = {
    "requestBody": {
        "required": True,
        "description": "A document as JSON; or its text itself. The query adds what the body leaves unsaid.",
        "content": {
            _JSON: {"schema": {"$ref": f"#/components/schemas/{DocumentInput.__name__}"}},
            **{media_type: {"schema": {}} for media_type in _TEXT},  # whatever it is, it is text
        },
    }
}
"""For the OpenAPI document: a route's own parameter could describe bodies of one form only."""


async def _document_in(request: Request, options: Annotated[DocumentOptions, Query()]) -> DocumentInput:
    """Return the document that a request brings.

    Raises:
        MediaTypeUnknown: the body is neither JSON nor text.
        InvalidRequest: it cannot be read.
    """
    header = Message()
    header["Content-Type"] = request.headers.get("content-type", "nothing/given")
    media_type = header.get_content_type()
    body = await request.body()
    if media_type == _JSON:
        document = _validated(_parsed(body))
    elif media_type in _TEXT:
        text = _decoded(body, header.get_content_charset("utf-8"))
        document = _validated({"text": text, "format": _TEXT[media_type]})
    else:
        raise MediaTypeUnknown(request.headers.get("content-type", ""), (_JSON, *_TEXT))
    unsaid = options.model_fields_set - document.model_fields_set
    return document.model_copy(update={name: getattr(options, name) for name in unsaid})


GivenDocument = Annotated[DocumentInput, Depends(_document_in)]
"""As a route's parameter; the route's `openapi_extra` is `BODY`."""


def _decoded(body: bytes, charset: str) -> str:
    try:
        return body.decode(charset).removeprefix("\ufeff")
    except (UnicodeError, LookupError) as error:
        why = f"it is no text in {charset!r}; send UTF-8, or name the charset in the header 'Content-Type'"
        raise InvalidRequest(field="body", why=why) from error


def _parsed(body: bytes) -> JsonValue:
    try:
        parsed: JsonValue = json.loads(body)
    except json.JSONDecodeError as error:
        raise InvalidRequest(field="body", why=f"invalid JSON at character {error.pos}: {error.msg}") from error
    except (ValueError, RecursionError) as error:  # not UTF-8, a number without end, a thousand brackets
        raise InvalidRequest(field="body", why="it cannot be read; send JSON in UTF-8") from error
    return parsed


def _validated(given: object) -> DocumentInput:
    try:
        return DocumentInput.model_validate(given)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors(include_url=False)]
        raise RequestValidationError(faults, body=given) from error
