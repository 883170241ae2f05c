"""Keys over HTTP: who else may use this installation's REST API, and what they see."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from twin_contracts.authors import AuthorName
from twin_contracts.base import AuthorId, Contract, Instant, Text

KeyName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class KeyInput(Contract):
    """Body of `POST /v1/keys`."""

    model_config = ConfigDict(extra="forbid")

    name: KeyName
    """Free again once its key is revoked or expired."""
    authors: Annotated[tuple[AuthorName, ...], Field(min_length=1, max_length=100)] | None = None
    """Whose documents it sees; None: everybody's."""
    expires_at: Instant | None = None
    """When it ends; None: never."""


class KeyEntry(Contract):
    """A key, without its text."""

    name: KeyName
    authors: tuple[AuthorId, ...] | None = None
    """Whose documents it sees; None: everybody's."""
    created_at: Instant
    expires_at: Instant | None = None
    revoked_at: Instant | None = None

    def is_expired(self, now: datetime) -> bool:
        """Return whether its time is up."""
        return self.expires_at is not None and self.expires_at <= now

    def is_valid(self, now: datetime) -> bool:
        """Return whether the API accepts it."""
        return self.revoked_at is None and not self.is_expired(now)


class NewKey(KeyEntry):
    """Answer of `POST /v1/keys`, the only one that ever has the key's text."""

    key: Text
    """What its holder sends as `Authorization: Bearer …`."""


class KeyList(Contract):
    """Body of `GET /v1/keys`: every key there ever was, oldest first."""

    items: tuple[KeyEntry, ...]
