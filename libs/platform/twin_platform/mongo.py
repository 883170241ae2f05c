"""MongoDB for every adapter that stands on it: how a client is made, which servers will do, what its errors mean.

What was measured on MongoDB 5.0.7 stands with the code that relies on it; the transcripts are in `tests/data/mongodb`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import (
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    InvalidURI,
    PyMongoError,
    WaitQueueTimeoutError,
)
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from twin_platform.errors import PermanentError, TransientError

Stored = dict[str, Any]
"""A document as the driver has it: whatever somebody has written."""
DEFAULT_DATABASE = "twin"
OLDEST = (5, 0)
"""`find` with `readConcern: snapshot` outside a transaction."""
SELECTION_MILLISECONDS = 10_000
"""How long the driver looks for a primary before it says that there is none: longer than most elections."""
READS_ANYTHING: Final[dict[str, Any]] = {
    "tz_aware": True,
    "datetime_conversion": "DATETIME_AUTO",
    "unicode_decode_error_handler": "replace",
}
"""Options of the client: no date and no text that somebody has stored keeps the driver from reading a document."""

TRANSIENT = frozenset(
    {6, 7, 9001, 89, 91, 133, 134, 189, 202, 262, 10107, 11600, 11602, 13435, 13436}  # network, election, shutdown
    | {43, 50, 64, 112, 175, 211, 215, 237, 239, 246, 365, 11601}  # cut short, a snapshot that is gone: ask again
)
"""Codes of the server's errors that may pass by themselves."""
TRANSIENT_LABELS = ("RetryableWriteError", "TransientTransactionError", "ResumableChangeStreamError")
_NOT_ALLOWED = frozenset({13, 18, 8000})
_NO_REPLICA_SET = frozenset({123, 40573})


class ServerUnfit(PermanentError):
    """A server that cannot do what the system needs of it."""

    runbook = "A server cannot do what is needed"


class UrlUnreadable(PermanentError):
    """A URL that the driver cannot read; never quotes it, since it may hold a password."""

    runbook = "A setting is wrong"

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(
            f"the MongoDB URL cannot be used: {why}; it looks like mongodb://user:password@host:27017/twin"
        )


class ServerRefused(PermanentError):
    """The server refused a command, and would again."""

    runbook = "A server refuses"

    def __init__(self, tried: str, why: str) -> None:
        self.tried, self.why = tried, why
        super().__init__(f"MongoDB refused to {tried}: {why}")


def open_database(url: str) -> Database[Stored]:
    """Return the database that a `mongodb://` or `mongodb+srv://` URL names, `twin` where it names none.

    Credentials, TLS and members are the URL's. Writes are durable on a majority, reads are of what a majority has.

    Raises:
        ServerUnfit: it is older than 5.0, or no member of a replica set.
        ServerRefused: it does not let us in.
        UrlUnreadable: the URL is none of MongoDB's.
        TransientError: nobody answers.
    """
    try:
        client: MongoClient[Stored] = MongoClient(
            url, appname="llm-twin", serverSelectionTimeoutMS=SELECTION_MILLISECONDS, **READS_ANYTHING
        )
        database = client.get_default_database(DEFAULT_DATABASE)
    except (InvalidURI, ValueError) as error:
        raise UrlUnreadable(str(error)) from error
    try:
        require_fit(database)
    except BaseException:
        client.close()
        raise
    return database


def durable(database: Database[Stored], name: str | None = None) -> Database[Stored]:
    """Return the database, or one beside it, with the concerns of the guarantee.

    Change streams show only what a majority has, so a write is acknowledged only then, too.
    """
    return database.client.get_database(
        name or database.name,
        codec_options=database.codec_options,
        read_preference=ReadPreference.PRIMARY,
        write_concern=WriteConcern("majority", j=True),
        read_concern=ReadConcern("majority"),
    )


def require_fit(database: Database[Stored]) -> None:
    """Raise `ServerUnfit` where the server is too old or stands alone; say how to help that."""
    with translated("ask the server what it is", _Unanswered):
        version = tuple(database.command("buildInfo")["versionArray"])
        hello = database.command("hello")
    if version[:2] < OLDEST:
        told = ".".join(map(str, version[:3]))
        message = f"MongoDB {told} is too old: snapshot reads need {OLDEST[0]}.{OLDEST[1]}; update the server"
        raise ServerUnfit(message)
    if "setName" not in hello:
        raise ServerUnfit(_ALONE)


_ALONE = (
    "this MongoDB stands alone, and only a replica set has change streams; start it as a set of one member: "
    "mongod --replSet rs0 …, then once in mongosh: rs.initiate()"
)


class _Unanswered(TransientError):
    """Nobody answers at the database's address."""


@contextmanager
def translated(tried: str, unavailable: Callable[[str], TransientError]) -> Iterator[None]:
    """Turn what the driver raises into what the port says.

    Args:
        tried: what is being done, as an infinitive; goes into the message.
        unavailable: the port's transient error.
    """
    try:
        yield
    except (ConnectionFailure, ExecutionTimeout, WaitQueueTimeoutError) as error:
        raise unavailable(f"MongoDB did not answer when asked to {tried}: {error}") from error
    except PyMongoError as error:
        code, why = code_of(error), str(error).partition(", full error")[0]
        if code in TRANSIENT or any(map(error.has_error_label, TRANSIENT_LABELS)):
            raise unavailable(f"MongoDB could not {tried}: {why}") from error
        if code in _NO_REPLICA_SET:
            raise ServerUnfit(_ALONE) from error
        if code in _NOT_ALLOWED:
            why += "; look at the user and its roles in the URL's database"
        raise ServerRefused(tried, why) from error


def put(collection: Collection[Stored], document: Stored) -> None:
    """Write a document in the place of the one of its `_id`, or as the first one."""
    where = {"_id": document["_id"]}
    try:
        collection.replace_one(where, document, upsert=True)
    except DuplicateKeyError:  # somebody wrote the first one at the same moment: this one replaces it
        collection.replace_one(where, document, upsert=True)


def code_of(error: PyMongoError) -> int | None:
    """Return the server's error code, of a write concern that failed, too; None where the error is not the server's."""
    details: object = getattr(error, "details", None)
    nested = details.get("writeConcernErrors") if isinstance(details, Mapping) else None
    if nested:
        return int(nested[0]["code"])
    code = getattr(error, "code", None)
    return int(code) if code is not None else None
