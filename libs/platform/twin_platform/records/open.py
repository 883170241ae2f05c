"""Which record store a URL means."""

from twin_platform.errors import UnknownScheme
from twin_platform.records.port import RecordStore
from twin_platform.records.sqlite import SqliteRecordStore
from twin_platform.urls import MONGO_SCHEMES, path_of, scheme_of


def open_record_store(url: str) -> RecordStore:
    """Open the store at `url`: `sqlite:///absolute/path.db`, `sqlite://relative/path.db` or `mongodb://…`.

    Raises:
        UnknownScheme: no adapter is known under the URL's scheme.
        RecordsUnavailable: transient; the file cannot be opened now.
        ForeignDatabase: the file is not a record store of this system.
        OtherFormat: it is one of another format.
    """
    if scheme_of(url) in MONGO_SCHEMES:
        from twin_platform.records.mongo import open_mongo_records  # noqa: PLC0415 - a second that the embedded system need not wait for

        return open_mongo_records(url)
    if scheme_of(url) != "sqlite":
        raise UnknownScheme(port="record store", url=url, known=("sqlite", *MONGO_SCHEMES))
    return SqliteRecordStore(path_of(url))
