"""Bytes of a page to text, as browsers do it; no bytes are ever an error."""

import codecs
import re

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_META = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([a-z0-9_:.-]{1,40})", re.IGNORECASE)
_META_BYTES = 4096
_OF_TEXT = re.compile(
    r"utf-(8|16|32)|ascii|cp\d+|iso8859-\d+|iso2022_\w+|koi8-\w|gb\w+|big5\w*|euc_\w+|shift_jis\w*|mac-\w+|johab|tis-620"
)
"""Python's names of character sets; it has other codecs that turn bytes into anything."""
_FALLBACK = "cp1252"


def text_of(body: bytes, header_charset: str | None) -> str:
    """Return the text of a page; what is no character in its charset becomes U+FFFD.

    A byte order mark wins over the header, that over what the page says of itself. Where nobody says anything it is
    UTF-8 if that fits, else Windows-1252.
    """
    for mark, charset in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(charset, "replace")
    named = _META.search(body[:_META_BYTES])
    for candidate in (header_charset, named[1].decode("ascii") if named else None):
        if charset := _codec(candidate):
            return body.decode(charset, "replace")
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body.decode(_FALLBACK, "replace")


def _codec(name: str | None) -> str:
    """Return the codec of a charset's name, empty where there is none for text; Latin-1 is Windows-1252 on the web."""
    try:
        found = codecs.lookup(name or "").name
    except (LookupError, ValueError):  # ValueError: a NUL in the name
        return ""
    if found.startswith("utf-16"):  # a page that could say so in ASCII is not in UTF-16
        found = "utf-8"
    if found in {"ascii", "iso8859-1"}:
        found = _FALLBACK
    return found if _OF_TEXT.match(found) else ""
