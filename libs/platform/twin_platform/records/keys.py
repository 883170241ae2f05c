"""Keys of the REST API as they are stored: made, revoked, and looked up at every request."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime

from twin_contracts.base import AuthorId, Digest
from twin_contracts.keys import KeyEntry, KeyName
from twin_platform.errors import PermanentError
from twin_platform.records.port import ABSENT, Collection, RecordStore

PREFIX = "twin_"
"""What every key begins with, so that people and secret scanners recognise one."""
_SECRET_BYTES = 32


class ApiKey(KeyEntry):
    """A key as it is kept: of its text only the hash, which needs no salt at 256 random bits."""

    secret_hash: Digest


API_KEYS = Collection("api-keys", ApiKey)
"""Under the hash of its text: a guessed key finds nothing, whatever names there are, and as fast as any other."""


class KeyNameTaken(PermanentError):
    """A valid key has this name already."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"there is a key named {name!r}; revoke it first or take another name")


class KeyNameUnknown(PermanentError):
    """No key with this name can be revoked."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        super().__init__(f"there is no valid key named {name!r}; these are valid: {', '.join(known) or 'none'}")


def create_key(
    records: RecordStore,
    name: KeyName,
    now: datetime,
    authors: tuple[AuthorId, ...] | None = None,
    expires_at: datetime | None = None,
) -> str:
    """Store a new key and return its text, which nobody can tell again.

    Raises:
        KeyNameTaken: a valid key has the name; that of a revoked or expired one may be used again.
    """
    if any(key.name == name and key.is_valid(now) for key in all_keys(records)):
        raise KeyNameTaken(name)
    text = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    digest = _digest(text)
    key = ApiKey(name=name, secret_hash=digest, authors=authors, created_at=now, expires_at=expires_at)
    records.put(API_KEYS, digest, key, if_revision=ABSENT)
    return text


def find_key(records: RecordStore, text: str) -> ApiKey | None:
    """Return the key with this text, revoked and expired ones too."""
    stored = records.get(API_KEYS, _digest(text))
    return None if stored is None else stored.record


def revoke_key(records: RecordStore, name: str, now: datetime) -> ApiKey:
    """Revoke the valid key of this name, and return what it was.

    Raises:
        KeyNameUnknown: there is none.
    """
    valid = [key for key in all_keys(records) if key.is_valid(now)]
    revoked: ApiKey | None = None
    for key in valid:
        if key.name == name:  # two where both were made at one moment
            revoked = key.model_copy(update={"revoked_at": now})
            records.put(API_KEYS, key.secret_hash, revoked)
    if revoked is None:
        raise KeyNameUnknown(name, [key.name for key in valid])
    return revoked


def all_keys(records: RecordStore) -> list[ApiKey]:
    """Return every key there ever was, oldest first."""
    found: list[ApiKey] = []
    while page := records.find(API_KEYS, after=found[-1].secret_hash if found else None):
        found += [stored.record for stored in page]
    return sorted(found, key=lambda key: (key.created_at, key.name))


def _digest(text: str) -> Digest:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
