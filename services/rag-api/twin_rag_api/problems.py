"""Errors as responses: OpenAI's shape under its paths, RFC 9457 problems everywhere else."""

from http import HTTPStatus
from typing import Any, Final, cast  # Any: an error as FastAPI gives it
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from twin_contracts.chat import OpenAIError, OpenAIErrorBody
from twin_contracts.http import Problem
from twin_platform.documents.errors import DocumentTooLarge
from twin_platform.errors import PlatformError, TransientError
from twin_rag_api.errors import ApiError, InvalidRequest, KeyRefused, ModelFailed

PROBLEM_TYPE: Final = "application/problem+json"
_OPENAI_PATHS = ("/v1/chat", "/v1/models")
_RETRY_AFTER = {"Retry-After": "1"}
_CHALLENGE = {"WWW-Authenticate": "Bearer"}
_PLAIN_IN_PATHS: Final = "/!$&'()*+,;=:@"
_BUG = "this is a bug of the server; its log has the details under this response's X-Request-Id"


def has_openai_shape(path: str) -> bool:
    """Return whether clients of this path expect OpenAI's errors."""
    return path.startswith(_OPENAI_PATHS)


def error_response(
    path: str, status: int, detail: str, headers: dict[str, str] | None = None, error: ApiError | None = None
) -> Response:
    """Return an error in the shape that clients of `path` expect; `error` adds what OpenAI's has places for."""
    detail = _as_text(detail)
    body: OpenAIError | Problem
    if has_openai_shape(path):
        status = HTTPStatus.BAD_REQUEST if status == HTTPStatus.UNPROCESSABLE_ENTITY else status
        kind = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
        param = _as_text(error.field) if error and error.field else None
        said = OpenAIErrorBody(message=detail, type=kind, param=param, code=error.code if error else None)
        body, media_type = OpenAIError(error=said), "application/json"
    else:
        instance = quote(path, safe=_PLAIN_IN_PATHS, errors="replace")
        body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, instance=instance)
        media_type = PROBLEM_TYPE
    return Response(body.model_dump_json(), status, headers, media_type)


def platform_error_response(path: str, error: Exception) -> Response:
    """Return what the client is told of an error of the platform or of our own."""
    match error:
        case ApiError():
            headers = _CHALLENGE if isinstance(error, KeyRefused) else None
            return error_response(path, error.status, str(error), headers, error)
        case DocumentTooLarge():
            return error_response(path, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error))
        case ModelFailed():
            return error_response(path, HTTPStatus.BAD_GATEWAY, f"{error}; try again")
        case TransientError():
            return error_response(path, HTTPStatus.SERVICE_UNAVAILABLE, f"{error}; try again", headers=_RETRY_AFTER)
        case _:
            return error_response(path, HTTPStatus.INTERNAL_SERVER_ERROR, str(error))


def install_error_responses(app: FastAPI) -> None:
    """Make every error of the framework, of the platform and of our own leave in the right shape."""
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(PlatformError, _on_platform_error)
    app.add_exception_handler(Exception, _on_bug)


def _on_http_error(request: Request, error: Exception) -> Response:
    http, path = cast("HTTPException", error), _path(request)
    match http.status_code:
        case HTTPStatus.NOT_FOUND:
            detail = f"there is no route {path!r}; /docs lists them"
        case HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = _methods(request) or (http.headers or {}).get("Allow", "")
            detail = f"{path!r} takes {allowed}, not {request.method}"
            return error_response(path, http.status_code, detail, headers={"Allow": allowed})
        case HTTPStatus.BAD_REQUEST:  # the framework's word for a body that is not text
            return _on_platform_error(request, InvalidRequest("body", "it cannot be read; send JSON in UTF-8"))
        case _:
            detail = http.detail
    return error_response(path, http.status_code, detail, headers=dict(http.headers or {}))


def _methods(request: Request) -> str:
    """Return every method of the request's path; the framework names those of its first route alone."""
    app: FastAPI = request.app
    route = getattr(request.scope.get("route"), "path", _path(request))
    operations = app.openapi()["paths"].get(route, {})
    return ", ".join(sorted(method.upper() for method in operations))


def _on_invalid(request: Request, error: Exception) -> Response:
    invalid = cast("RequestValidationError", error)
    fault = max(invalid.errors(), key=lambda one: len(one["loc"]))  # of a union, the branch that fits furthest
    kind, *path = fault["loc"]
    if fault["type"] == "json_invalid":
        return _on_platform_error(
            request, InvalidRequest("body", f"invalid JSON at character {path[0]}: {fault['ctx']['error']}")
        )
    if kind == "body" and not path:
        why = "it must be a JSON object of valid Unicode, sent with the header 'Content-Type: application/json'"
        return _on_platform_error(request, InvalidRequest("body", why))
    names = _in_body(fault, invalid.body) if kind == "body" else path
    return _on_platform_error(request, InvalidRequest(".".join(map(str, names)), fault["msg"]))


def _in_body(fault: dict[str, Any], body: object) -> list[str | int]:
    """Return where in the body the fault is, without the branches of unions that its `loc` names, too."""
    _, *path = fault["loc"]
    names: list[str | int] = []
    for at, name in enumerate(path, start=1):
        if (isinstance(body, dict) and name in body) or (isinstance(body, list) and isinstance(name, int)):
            body = body[name]
        elif fault["type"] != "missing" or at < len(path):
            continue
        names.append(name)
    return names


def _on_platform_error(request: Request, error: Exception) -> Response:
    return platform_error_response(_path(request), error)


def _on_bug(request: Request, _error: Exception) -> Response:
    headers = {"X-Request-Id": request.state.request_id}  # this response is made outside the gate, which adds it
    return error_response(_path(request), HTTPStatus.INTERNAL_SERVER_ERROR, _BUG, headers=headers)


def _path(request: Request) -> str:
    path: str = request.scope["path"]  # as the gate has it; a URL made of it would quote some of it
    return path


def _as_text(quoted: str) -> str:
    """Return what can be sent: a refused request may be quoted with what made it bad."""
    return quoted.encode("utf-8", "backslashreplace").decode().replace("\x00", r"\x00")
