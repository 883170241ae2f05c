"""Errors of the record store, beside `RecordChanged`, which is part of its port."""

from twin_platform.errors import PermanentError, TransientError


class RecordsUnavailable(TransientError):
    """The store did not answer; what was asked may or may not have happened."""


class RecordUnreadable(PermanentError):
    """What is stored under a key is no record of its collection's model."""

    def __init__(self, collection: str, key: str, why: str) -> None:
        self.collection, self.key, self.why = collection, key, why
        super().__init__(
            f"record {collection}/{key} cannot be read: {why}; "
            "use the version of the program that wrote it, or delete the record"
        )
