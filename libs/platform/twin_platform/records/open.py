"""Which record store a URL means."""

from twin_platform.errors import UnknownScheme
from twin_platform.records.port import RecordStore
from twin_platform.records.sqlite import SqliteRecordStore
from twin_platform.urls import path_of, scheme_of


def open_record_store(url: str) -> RecordStore:
    """Open the store at `url`: `sqlite:///absolute/path.db` or `sqlite://relative/path.db`.

    Raises:
        UnknownScheme: no adapter is known under the URL's scheme.
        RecordsUnavailable: transient; the file cannot be opened now.
        ForeignDatabase: the file is not a record store of this system.
        OtherFormat: it is one of another format.
    """
    if scheme_of(url) != "sqlite":
        raise UnknownScheme(port="record store", url=url, known=("sqlite",))
    return SqliteRecordStore(path_of(url))
