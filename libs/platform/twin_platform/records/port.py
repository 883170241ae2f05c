"""Port: small records of our own, kept apart from the documents so that they never enter the change stream."""

from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

from twin_contracts.base import Contract
from twin_platform.errors import PermanentError

R = TypeVar("R", bound=Contract)


@dataclass(frozen=True, slots=True)
class Collection(Generic[R]):
    """A named set of records of one model; the service that declares it owns it."""

    name: str
    model: type[R]


@dataclass(frozen=True, slots=True)
class Stored(Generic[R]):
    """A record as read: `revision` says whether it changed since."""

    key: str
    record: R
    revision: int


class RecordChanged(PermanentError):
    """Somebody else changed the record first; read again and decide."""

    def __init__(self, collection: str, key: str, expected: int) -> None:
        self.collection, self.key, self.expected = collection, key, expected
        super().__init__(f"record {collection}/{key} is no longer at revision {expected}; read it again")


ABSENT = 0
"""As `if_revision`: only where there is no such record yet."""


class RecordStore(Protocol):
    """Durable key-value store of pydantic models; every put is durable when it returns."""

    def get(self, collection: Collection[R], key: str) -> Stored[R] | None:
        """Return the record, or None."""

    def put(self, collection: Collection[R], key: str, record: R, if_revision: int | None = None) -> int:
        """Write and return the new revision.

        Args:
            if_revision: write only while the record is at this revision (`ABSENT`: only where there is none);
                None writes in any case.

        Raises:
            RecordChanged: it is at another revision; nothing was written.
        """

    def delete(self, collection: Collection[R], key: str) -> bool:
        """Remove the record; False where there was none."""

    def find(self, collection: Collection[R], after: str | None = None, limit: int = 1000) -> list[Stored[R]]:
        """Return records in key order after `after`."""

    def compact(self) -> bool:
        """Give back a step of disk space that is no longer used; False where nothing is left to give. Housekeeping."""

    def close(self) -> None:
        """Release the store. Idempotent."""

    def __enter__(self) -> Self:
        """Return the store; leaving closes it."""

    def __exit__(self, *exception: object) -> None:
        """Close the store."""
