"""A response's body, decompressed piece by piece, so that a bomb is noticed before it has gone off."""

import zlib
from collections.abc import Callable, Iterable

from twin_crawler.errors import FetchFailed, FetchRefused, Reason

ACCEPTED_ENCODINGS = "gzip, deflate"
_GZIP, _ZLIB, _RAW = 31, 15, -15
"""zlib's names of the three wrappings."""
Inflate = Callable[[bytes, int], bytes]
"""Bytes of the wire and how many may come of them at most, to bytes of the page."""


def read_body(url: str, pieces: Iterable[bytes], encoding: str, most_wire: int, most: int) -> bytes:
    """Return the decompressed body.

    What follows the end of a compressed stream is ignored, as browsers do.

    Raises:
        FetchRefused: above `most_wire` bytes as sent or `most` decompressed, damaged, or compressed in another way.
        FetchFailed: the body ends too early.
    """
    wire, body = 0, bytearray()
    inflater = _Inflater(url, encoding)
    for piece in pieces:
        wire += len(piece)
        if wire > most_wire:
            raise FetchRefused(url, Reason.TOO_LARGE, f"it is above {most_wire:,} bytes")
        body += inflater.inflate(piece, most + 1 - len(body))
        if len(body) > most:
            raise FetchRefused(url, Reason.TOO_LARGE, f"it decompresses to more than {most:,} bytes")
    inflater.end()
    return bytes(body)


class _Inflater:
    def __init__(self, url: str, encoding: str) -> None:
        self._url = url
        self._encoding = encoding.strip().lower()
        self._stream: zlib._Decompress | None = None
        if self._encoding not in {"", "identity", "gzip", "x-gzip", "deflate"}:
            raise FetchRefused(url, Reason.ENCODING, f"it is compressed as {encoding!r}; only gzip or deflate is read")

    def inflate(self, piece: bytes, most: int) -> bytes:
        if self._encoding in {"", "identity"}:
            return piece
        try:
            if self._stream is None:
                self._stream = zlib.decompressobj(self._wrapping(piece))
            return self._stream.decompress(piece, most)
        except zlib.error as error:
            raise FetchRefused(self._url, Reason.ENCODING, f"its compressed form is damaged ({error})") from error

    def end(self) -> None:
        if self._stream is not None and not self._stream.eof:
            raise FetchFailed(self._url, "it ended in the middle")

    def _wrapping(self, piece: bytes) -> int:
        """Return which wrapping it is; servers send deflate with and without the one that its name stands for."""
        if self._encoding != "deflate":
            return _GZIP
        wrapped = len(piece) > 1 and piece[0] & 15 == zlib.DEFLATED and int.from_bytes(piece[:2], "big") % 31 == 0
        return _ZLIB if wrapped else _RAW
