"""Errors of the record store, beside `RecordChanged`, which is part of its port."""

from twin_platform.errors import DatabaseUnavailable, PermanentError


class RecordsUnavailable(DatabaseUnavailable):
    """The store did not answer; what was asked may or may not have happened."""

    holds = (
        "keys, who the owner is, merged authors and crawls: restore it from a backup, or move it away with its -wal "
        "and -shm, and these begin anew"
    )


class RecordUnreadable(PermanentError):
    """What is stored under a key is no record of its collection's model."""

    runbook = "A database that cannot be opened"

    def __init__(self, collection: str, key: str, why: str) -> None:
        self.collection, self.key, self.why = collection, key, why
        super().__init__(
            f"record {collection}/{key} cannot be read: {why}; "
            "use the version of the program that wrote it, or delete the record"
        )
