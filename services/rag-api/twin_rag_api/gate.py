"""What every request passes first: its id, the key, the limit of its body; and where its response is counted."""

import re
from functools import partial
from http import HTTPStatus
from typing import Final
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twin_platform.errors import PlatformError
from twin_platform.telemetry.metrics import Metrics
from twin_rag_api.access import Access, Keys
from twin_rag_api.errors import BodyTooLarge, KeyRefused
from twin_rag_api.metrics import NO_ROUTE, REQUESTS, SECONDS
from twin_rag_api.problems import platform_error_response

MAX_BODY_BYTES: Final = 9 * 1024 * 1024
"""Above the largest document by what JSON needs around it."""

OPEN_PATHS: Final = frozenset({"/", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"})
"""What may be asked without a key: that somebody is there, and how to ask on."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")


class Gate:
    """Refuses a request without the key or with too large a body before any of it is read.

    Every response carries `X-Request-Id`: the client's own where it sent a usable one.
    """

    def __init__(self, app: ASGIApp, keys: Keys, metrics: Metrics) -> None:
        self._app = app
        self._keys = keys
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _request_id(headers)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        began = self._keys.clock.monotonic()
        responded = False

        def count(status: int) -> None:
            nonlocal responded
            responded = True
            route = getattr(scope.get("route"), "path", NO_ROUTE)
            self._metrics.count(REQUESTS, route, str(status))
            self._metrics.observe(SECONDS, self._keys.clock.monotonic() - began, route)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
                count(message["status"])
            await send(message)

        try:
            if scope["path"] not in OPEN_PATHS:
                state["renew"] = partial(self._access, headers)  # for who stays longer than a key may live
                state["access"] = await self._access(headers)
            _refuse_large(headers)
        except PlatformError as error:
            response = platform_error_response(scope["path"], error)
            await response(scope, receive, send_with_id)
        else:
            await self._app(scope, _bounded(receive), send_with_id)
        finally:
            if not responded:  # a bug: its response is made outside of here
                count(HTTPStatus.INTERNAL_SERVER_ERROR)

    async def _access(self, headers: Headers) -> Access:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise KeyRefused
        return await self._keys.access(key.strip())


def _refuse_large(headers: Headers) -> None:
    length = headers.get("content-length", "0")
    if length.isdigit() and int(length) > MAX_BODY_BYTES:
        raise BodyTooLarge(MAX_BODY_BYTES, int(length))


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex


def _bounded(receive: Receive) -> Receive:
    """Count what arrives: a chunked body tells no length beforehand."""
    seen = 0

    async def receive_bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MAX_BODY_BYTES:
            # the framework lets only its own errors out of reading a body
            raise HTTPException(BodyTooLarge.status, str(BodyTooLarge(MAX_BODY_BYTES)))
        return message

    return receive_bounded
