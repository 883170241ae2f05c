"""Which document store a URL means."""

from twin_platform.documents.port import DocumentStore
from twin_platform.documents.sqlite import SqliteDocumentStore
from twin_platform.errors import UnknownScheme
from twin_platform.telemetry.clock import Clock
from twin_platform.urls import path_of, scheme_of


def open_document_store(url: str, clock: Clock) -> DocumentStore:
    """Open the store at `url`: `sqlite:///absolute/path.db` or `sqlite://relative/path.db`.

    Raises:
        UnknownScheme: no adapter is known under the URL's scheme.
        StoreUnavailable: transient; the file cannot be opened now.
        ForeignDatabase: the file is not a document store of this system.
        OtherFormat: it is one of another format.
    """
    if scheme_of(url) != "sqlite":
        raise UnknownScheme(port="document store", url=url, known=("sqlite",))
    return SqliteDocumentStore(path_of(url), clock)
