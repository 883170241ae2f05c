"""Record store in memory."""

import threading
from itertools import count
from typing import Self

from pydantic import ValidationError

from twin_platform.records.errors import RecordUnreadable
from twin_platform.records.port import ABSENT, Collection, R, RecordChanged, Stored


class InMemoryRecordStore:
    """Keeps each record as JSON in `bodies`, which a test may spoil."""

    def __init__(self) -> None:
        self.bodies: dict[tuple[str, str], tuple[int, str]] = {}
        self._revisions = count(1)
        self._lock = threading.Lock()

    def get(self, collection: Collection[R], key: str) -> Stored[R] | None:
        kept = self.bodies.get((collection.name, key))
        if kept is None:
            return None
        revision, body = kept
        try:
            return Stored(key, collection.model.model_validate_json(body), revision)
        except ValidationError as error:
            raise RecordUnreadable(collection.name, key, str(error)) from error

    def put(self, collection: Collection[R], key: str, record: R, if_revision: int | None = None) -> int:
        place = (collection.name, key)
        with self._lock:
            present = self.bodies[place][0] if place in self.bodies else ABSENT
            if if_revision is not None and if_revision != present:
                raise RecordChanged(collection.name, key, if_revision)
            revision = next(self._revisions)
            self.bodies[place] = (revision, record.model_dump_json())
        return revision

    def delete(self, collection: Collection[R], key: str) -> bool:
        with self._lock:
            return self.bodies.pop((collection.name, key), None) is not None

    def find(self, collection: Collection[R], after: str | None = None, limit: int = 1000) -> list[Stored[R]]:
        with self._lock:
            keys = sorted(key for name, key in self.bodies if name == collection.name and key > (after or ""))
        return [stored for key in keys[:limit] if (stored := self.get(collection, key)) is not None]

    def compact(self) -> bool:
        return False

    def close(self) -> None:
        """Hold nothing that could be released."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
