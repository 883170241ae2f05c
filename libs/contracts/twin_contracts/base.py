"""What every contract shares: frozen, tolerant of fields it does not know, strict about those it does."""

from hashlib import sha1
from typing import Annotated, Final, LiteralString
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, StringConstraints
from pydantic_core import PydanticCustomError

NAMESPACE = UUID("6f1c7a54-2f0e-5c57-9a0b-3c1d8f6f2b11")
"""Root of every uuid5 of the system. Changing it changes every id."""

_NAMESPACE_BYTES: Final = NAMESPACE.bytes
_VERSION_5: Final = 0x50
_VARIANT: Final = 0x80

DocumentId = Annotated[
    str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
]
"""uuid5 of a canonical source URL, a platform's own id or a client's own id, in its lower-case string form."""

AuthorId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,99}$")]
"""Slug of an author's name."""

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in hexadecimal."""


_NO_TEXT: LiteralString = "no_text"


def _no_nul(text: str) -> str:
    if "\x00" in text:
        message = "it holds a NUL character, which no store can carry: it is no text, or text in another encoding"
        raise PydanticCustomError(_NO_TEXT, message)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        half = {"character": ascii(text[error.start]), "place": error.start}
        message = "it holds {character} at character {place}, which is half of a character; remove it"
        raise PydanticCustomError(_NO_TEXT, message, half) from error
    return text


Text = Annotated[str, AfterValidator(_no_nul)]
"""Text that every store can hold: valid Unicode without NUL."""

Instant = AwareDatetime
"""A point in time with its offset; naive datetimes are refused."""


class Contract(BaseModel):
    """Base of all contracts: immutable, unknown fields ignored so that an older reader survives a newer writer."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def uuid_of(*parts: str) -> str:
    """Return the uuid5 of `parts` under the system's namespace; deterministic over machines and releases.

    RFC 9562, section 5.5, without an object for each: an event and its chunks have a dozen of these.
    """
    digest = bytearray(sha1(_NAMESPACE_BYTES + "\x1f".join(parts).encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | _VERSION_5
    digest[8] = digest[8] & 0x3F | _VARIANT
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
