"""Which document store a URL means."""

from twin_platform.documents.port import DocumentStore
from twin_platform.documents.sqlite import SqliteDocumentStore
from twin_platform.errors import UnknownScheme
from twin_platform.telemetry.clock import Clock
from twin_platform.urls import MONGO_SCHEMES, path_of, scheme_of


def open_document_store(url: str, clock: Clock) -> DocumentStore:
    """Open the store at `url`: `sqlite:///absolute/path.db`, `sqlite://relative/path.db` or `mongodb://…`.

    Raises:
        UnknownScheme: no adapter is known under the URL's scheme.
        StoreUnavailable: transient; the file cannot be opened now.
        ForeignDatabase: the file is not a document store of this system.
        OtherFormat: it is one of another format.
    """
    if scheme_of(url) in MONGO_SCHEMES:
        from twin_platform.documents.mongo_prepare import open_mongo_documents  # noqa: PLC0415 - a second that the embedded system need not wait for

        return open_mongo_documents(url, clock)
    if scheme_of(url) != "sqlite":
        raise UnknownScheme(port="document store", url=url, known=("sqlite", *MONGO_SCHEMES))
    return SqliteDocumentStore(path_of(url), clock)
