"""Opening SQLite files so that what was committed survives a crash, and a file that is not ours is never touched."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twin_platform.errors import DatabaseUnavailable, PermanentError

_BUSY_SECONDS = 10.0
"""How long a writer waits for another process's transaction; ours take milliseconds."""

_LITTLE_MILLISECONDS = 100
_STEP_PAGES = 1024
"""Pages that one step of `compact` gives back, 4 MiB: another writer waits some ten milliseconds for it."""

_DAMAGED = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
_ADVICE = {
    sqlite3.SQLITE_FULL: "make room on its disk, the rest goes by itself",
    sqlite3.SQLITE_IOERR: "see whether its disk is full, read-only or broken; it is tried again",
}
_NOT_ALLOWED = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}


class ForeignDatabase(PermanentError):
    """The file is not a database of this system, or is damaged."""

    runbook = "A database that cannot be opened"

    def __init__(self, path: str, why: str, holds: str) -> None:
        self.path, self.why = path, why
        super().__init__(f"{path!r} cannot be used: {why}. It is left untouched, and holds {holds}")


class _NotOurs(sqlite3.DatabaseError):
    """A sound database of somebody else's."""


class OtherFormat(PermanentError):
    """The file is ours, but of a format that this program cannot read."""

    runbook = "A newer version has written"

    def __init__(self, path: str, found: int, known: int) -> None:
        self.path, self.found, self.known = path, found, known
        super().__init__(
            f"{path!r} has format {found} and this program reads format {known}; "
            "use the program that wrote it, or move the file away (it is left untouched)"
        )


def connect(path: Path, application_id: int, format_number: int, schema: str) -> sqlite3.Connection:
    """Open the file, creating it where there is none. To be called within `translated`.

    Every commit is synced to disk (WAL, `synchronous=FULL`), transactions are explicit, any thread may use the
    connection while no other does.

    Args:
        path: the file; its folder exists.
        application_id: marks whose file it is; another store's is refused.
        format_number: of the schema; above 0.
        schema: statements that make a new file, repeatable, since two processes may find it missing.

    Raises:
        OtherFormat: the file is ours, of another format.
    """
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        if _is_empty(connection):
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # else only a rewrite of the file shrinks it
            connection.execute("PRAGMA journal_mode = WAL")
            marks = f"PRAGMA application_id = {application_id}; PRAGMA user_version = {format_number};"
            connection.executescript(f"BEGIN IMMEDIATE; {schema}; {marks} COMMIT")
        _refuse_foreign(connection, path, application_id, format_number)
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write: nobody else writes meanwhile; committed and on disk when left, rolled back when left by an error."""
    with _between("BEGIN IMMEDIATE", connection):
        yield


@contextmanager
def moment(connection: sqlite3.Connection) -> Iterator[None]:
    """Read: everything read inside is as of one moment; nobody waits for it."""
    with _between("BEGIN", connection):
        yield


def compact(connection: sqlite3.Connection) -> bool:
    """Give back to the disk a step of what the file no longer uses; False where nothing is left to give.

    The file is smaller once the log beside it is written into it, which the last step does unless somebody reads.
    """
    free = _pragma(connection, "freelist_count")
    if free:
        connection.executescript(f"PRAGMA incremental_vacuum({_STEP_PAGES})")  # `execute` would free one page
    left = _pragma(connection, "freelist_count")
    if 0 < left < free:
        return True
    connection.execute(f"PRAGMA busy_timeout = {_LITTLE_MILLISECONDS}")  # who waits for readers keeps writers waiting
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.execute(f"PRAGMA busy_timeout = {int(_BUSY_SECONDS * 1000)}")
    return False


@contextmanager
def translated(path: Path, unavailable: type[DatabaseUnavailable]) -> Iterator[None]:
    """Raise SQLite's errors as ours: a foreign or damaged file as `ForeignDatabase`, a full disk as `unavailable`."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
        if code in _DAMAGED or isinstance(error, _NotOurs):
            raise ForeignDatabase(str(path), str(error), unavailable.holds) from error
        if path.is_dir():
            raise ForeignDatabase(str(path), "it is a folder", unavailable.holds) from error
        if code in _NOT_ALLOWED:
            raise unavailable(f"{path}: {error}; does its folder exist, and may this user write there?") from error
        if isinstance(error, sqlite3.OperationalError):
            raise unavailable(told(path, error)) from error
        raise


def told(path: Path, error: sqlite3.Error) -> str:
    """Return what an error says of the file, and what to do where somebody can."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    advice = _ADVICE.get(code)
    return f"{path}: {error}; {advice}" if advice else f"{path}: {error}"


@contextmanager
def _between(begin: str, connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite itself rolls back on a full disk
            connection.execute("ROLLBACK")
        raise


def _is_empty(connection: sqlite3.Connection) -> bool:
    used = connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    return used is None and _pragma(connection, "application_id") == 0


def _refuse_foreign(connection: sqlite3.Connection, path: Path, application_id: int, format_number: int) -> None:
    if _pragma(connection, "application_id") != application_id:
        message = "it is a database of another program or another store"
        raise _NotOurs(message)
    found = _pragma(connection, "user_version")
    if found != format_number:
        raise OtherFormat(str(path), found, format_number)


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
