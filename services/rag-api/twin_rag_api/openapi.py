"""The OpenAPI document: what FastAPI derives from the routes, and every error with its model and media type."""

from http import HTTPStatus
from threading import Lock
from typing import Any, Final  # Any: an OpenAPI document as FastAPI gives it

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from twin_contracts.chat import OpenAIError
from twin_contracts.http import DocumentInput, Problem
from twin_rag_api.errors import InvalidRequest
from twin_rag_api.gate import OPEN_PATHS
from twin_rag_api.problems import PROBLEM_TYPE, has_openai_shape

_REFERENCE: Final = "#/components/schemas/{model}"
_WITH_KEY: Final = {
    HTTPStatus.UNAUTHORIZED: "There is no valid key in the header `Authorization`.",
    HTTPStatus.NOT_FOUND: "There is none, or the key does not see it.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "A bug of the server.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Something behind the API does not answer now; try again.",
}
_WITH_BODY: Final = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is of a type that is not taken here.",
}
_MAKING: Final = Lock()
_INVALID: Final = "The request makes no sense; the error says why."


class Api(FastAPI):
    """An application whose OpenAPI document is complete."""

    _document: dict[str, Any] | None = None

    def openapi(self) -> dict[str, Any]:
        """Return the document, made at the first call; no call sees it before it is complete."""
        if self._document is None:
            with _MAKING:
                self._document = self._document or self._made()
        return self._document

    def _made(self) -> dict[str, Any]:
        document = super().openapi()
        _, shared = models_json_schema(
            [(DocumentInput, "validation"), (Problem, "serialization"), (OpenAIError, "serialization")],
            ref_template=_REFERENCE,
        )
        document["components"]["schemas"] = shared["$defs"] | document["components"]["schemas"]
        for path, operations in document["paths"].items():
            for operation in operations.values():
                _complete(path, operation)
        return document


async def refuse_unknown_query(request: Request) -> None:
    """Refuse a query parameter that the route does not have, or has once: a slip must not go unnoticed.

    Raises:
        InvalidRequest: on our own routes; what OpenAI's clients add is ignored.
    """
    path = getattr(request.scope.get("route"), "path", "")
    if not request.query_params or path in OPEN_PATHS or has_openai_shape(path):
        return
    document = await run_in_threadpool(request.app.openapi)  # to make it takes 0.2 s
    operation = document["paths"].get(path, {}).get(request.method.lower())
    if operation is None:
        return
    known = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        if name not in known:
            raise InvalidRequest(name, f"there is no such query parameter; there is {', '.join(known) or 'none'}")
        if given.count(name) > 1:
            raise InvalidRequest(name, "the query has it more than once")


def _complete(path: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    declared = {code: responses.pop(code)["description"] for code in [*responses] if _is_our_error(responses[code])}
    errors = {str(code.value): said for code, said in _errors_of(path, operation).items()} | declared
    if has_openai_shape(path):
        errors.pop(str(HTTPStatus.UNPROCESSABLE_ENTITY.value), None)
        content = {"application/json": {"schema": {"$ref": _REFERENCE.format(model=OpenAIError.__name__)}}}
    else:
        content = {PROBLEM_TYPE: {"schema": {"$ref": _REFERENCE.format(model=Problem.__name__)}}}
    responses.update({code: {"description": said, "content": content} for code, said in sorted(errors.items())})
    if path in OPEN_PATHS:
        operation.pop("security", None)


def _errors_of(path: str, operation: dict[str, Any]) -> dict[HTTPStatus, str]:
    errors = {} if path in OPEN_PATHS else dict(_WITH_KEY)
    if "requestBody" in operation:
        errors |= _WITH_BODY
    if path not in OPEN_PATHS:
        errors[HTTPStatus.BAD_REQUEST if has_openai_shape(path) else HTTPStatus.UNPROCESSABLE_ENTITY] = _INVALID
    return errors


def _is_our_error(response: dict[str, Any]) -> bool:
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    return schema.get("$ref", "").rpartition("/")[2] in {Problem.__name__, "HTTPValidationError"}
