"""Files of SQLite give back what they no longer use, in steps, while others read and write."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from twin_platform import sqlite
from twin_platform.sqlite import compact, connect, transaction

ROWS, BYTES = 400, 4000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    connection = connect(path, 1, 1, "CREATE TABLE IF NOT EXISTS things (id INTEGER PRIMARY KEY, body BLOB)")
    with transaction(connection):
        connection.executemany("INSERT INTO things VALUES (?, zeroblob(?))", [(n, BYTES) for n in range(ROWS)])
    compact(connection)
    yield connection
    connection.close()


def size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*") if not file.name.endswith("-shm"))


def test_a_file_is_as_small_as_what_is_in_it(path: Path, connection: sqlite3.Connection) -> None:
    full = size(path)
    with transaction(connection):
        connection.execute("DELETE FROM things WHERE id % 10 > 0")

    while compact(connection):
        pass

    assert size(path) < full / 5
    assert connection.execute("SELECT count(*) FROM things WHERE length(body) = ?", (BYTES,)).fetchone() == (
        ROWS // 10,
    )
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_it_goes_in_steps(path: Path, connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_STEP_PAGES", 100)
    with transaction(connection):
        connection.execute("DELETE FROM things")

    steps = [compact(connection) for _ in range(8)]

    assert steps[:3] == [True] * 3
    assert not steps[-1]


def test_where_nothing_is_free_nothing_is_done(path: Path, connection: sqlite3.Connection) -> None:
    before = size(path)

    assert not compact(connection)

    assert size(path) == before


def test_somebody_who_reads_is_not_waited_for(path: Path, connection: sqlite3.Connection) -> None:
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM things").fetchone()
    with transaction(connection):
        connection.execute("DELETE FROM things")

    while compact(connection):
        pass

    assert reader.execute("SELECT count(*) FROM things").fetchone() == (ROWS,)
    reader.close()
