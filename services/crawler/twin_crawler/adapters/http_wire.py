"""One GET to an address that was checked, within limits of bytes and of time."""

import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from twin_crawler.adapters.body import ACCEPTED_ENCODINGS, read_body
from twin_crawler.address import Target
from twin_crawler.errors import FetchFailed, FetchRefused, Interrupted, Reason
from twin_crawler.robots import AGENT

USER_AGENT = f"{AGENT}-crawler/0.1 (collects its owner's own texts; obeys robots.txt as {AGENT})"
_MIB = 1024 * 1024
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost."""

    wire_bytes: int = 10 * _MIB
    body_bytes: int = 20 * _MIB
    """After decompression."""
    header_bytes: int = 64 * 1024
    seconds: float = 60.0
    """From the connection to the last byte."""
    silent_seconds: float = 20.0
    """To connect, and between two pieces."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A response; its body was read only where it is a 200."""

    status: int
    headers: httpx.Headers
    body: bytes = b""

    @property
    def media_type(self) -> str:
        """Return the content type, lower case, without parameters."""
        return self.header("content-type").partition(";")[0].strip().lower()

    def header(self, name: str) -> str:
        """Return a header's value, empty where there is none."""
        return str(self.headers.get(name, ""))


class HttpWire:
    """Sends single requests; keeps no connection, no cookie, follows nothing and knows no proxy.

    The URL of a request names the checked address, its `Host` header and TLS the host's name: nothing is resolved here.

    Args:
        wait: called with 0 while an answer comes; what it raises to stop the crawler ends the request.
    """

    def __init__(
        self, limits: Limits, wait: Callable[[float], None], transport: httpx.BaseTransport | None = None
    ) -> None:
        self._limits = limits
        self._wait = wait
        self._transport = transport or httpx.HTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))

    def close(self) -> None:
        """Close what is open."""
        self._transport.close()

    def get(self, target: Target, headers: Mapping[str, str], accept: frozenset[str] | None) -> Answered:
        """Return the answer to one GET.

        Raises:
            FetchRefused: too large, too slow, of another media type than `accept`, or damaged.
            FetchFailed: no connection, or a broken one.
            Interrupted: the crawler is being stopped.
        """
        why = ""
        for address in target.addresses:
            deadline = _Deadline(self._limits.seconds, self._wait)
            try:
                with deadline:
                    answered = self._get(target, self._request(target, address, headers, deadline), accept)
            except httpx.ConnectError as error:
                why = str(error)
            except httpx.ConnectTimeout:
                why = f"no connection within {self._limits.silent_seconds:g} s"
            except (httpx.TransportError, FetchFailed) as error:
                raise self._ended(target, deadline) if deadline.passed else self._broken(target, error) from error
            else:
                if deadline.passed:  # a body without a length seems complete when one hangs up
                    raise self._ended(target, deadline)
                return answered
        raise FetchFailed(target.url, why)

    def _request(
        self, target: Target, address: str, headers: Mapping[str, str], deadline: "_Deadline"
    ) -> httpx.Request:
        place = f"[{address}]" if ":" in address else address
        silent = self._limits.silent_seconds
        return httpx.Request(
            "GET",
            f"{target.scheme}://{place}:{target.port}{target.path}",
            headers={
                "Host": target.authority,
                "User-Agent": USER_AGENT,
                "Accept-Encoding": ACCEPTED_ENCODINGS,
                "Connection": "close",
                **headers,
            },
            extensions={
                "sni_hostname": target.host,
                "timeout": {"connect": silent, "read": silent, "write": silent, "pool": silent},
                "trace": deadline.trace,
            },
        )

    def _get(self, target: Target, request: httpx.Request, accept: frozenset[str] | None) -> Answered:
        response = self._transport.handle_request(request)
        try:
            answered = Answered(response.status_code, response.headers)
            if sum(len(name) + len(value) for name, value in response.headers.raw) > self._limits.header_bytes:
                raise _header_flood(target)
            if answered.status != httpx.codes.OK:
                return answered
            if accept is not None and answered.media_type not in accept:
                found = f"it is {answered.media_type!r}" if answered.media_type else "it does not say what it is"
                raise FetchRefused(target.url, Reason.MEDIA_TYPE, f"{found}, not {' or '.join(sorted(accept))}")
            encoding = response.headers.get("content-encoding", "")
            limits = self._limits
            body = read_body(target.url, response.iter_raw(), encoding, limits.wire_bytes, limits.body_bytes)
            return Answered(answered.status, answered.headers, body)
        finally:
            response.close()

    def _ended(self, target: Target, deadline: "_Deadline") -> FetchRefused | Interrupted:
        if deadline.interrupted:
            return Interrupted()
        why = f"it was not complete after {self._limits.seconds:g} s"
        return FetchRefused(target.url, Reason.TOO_SLOW, why)

    def _broken(self, target: Target, error: httpx.TransportError | FetchFailed) -> FetchRefused | FetchFailed:
        if isinstance(error, FetchFailed):
            return error
        if "buffer too long" in str(error):  # h11's own bound, above ours
            return _header_flood(target)
        if isinstance(error, httpx.TimeoutException):
            return FetchFailed(target.url, f"nothing came for {self._limits.silent_seconds:g} s")
        return FetchFailed(target.url, str(error) or type(error).__name__)


def _header_flood(target: Target) -> FetchRefused:
    return FetchRefused(target.url, Reason.TOO_LARGE, "its headers are larger than any page needs")


class _Deadline:
    """Hangs up when its time is over, whatever comes: time-outs between two pieces never end a page that drips.

    It does so as well when the crawler is being stopped.
    """

    def __init__(self, seconds: float, wait: Callable[[float], None]) -> None:
        self.passed = False
        self.interrupted = False
        self._socket: socket.socket | None = None
        self._seconds, self._wait, self._done = seconds, wait, threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, name="deadline", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()

    def _watch(self) -> None:
        until = time.monotonic() + self._seconds
        while not self._done.wait(min(_POLL_SECONDS, max(until - time.monotonic(), 0.0))):
            try:
                self._wait(0.0)
            except Interrupted:
                self.interrupted = True
            if self.interrupted or time.monotonic() >= until:
                self._hang_up()
                return

    def trace(self, event: str, info: Mapping[str, Any]) -> None:  # Any: httpx gives every event its own content
        """Learn the connection's socket; httpx calls this at each step of a request."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")
            if self.passed:
                self._hang_up()

    def _hang_up(self) -> None:
        self.passed = True
        if self._socket is not None:
            with suppress(OSError):  # already closed
                self._socket.shutdown(socket.SHUT_RDWR)
