"""Pages of mapped files that a process lets go of."""

import mmap
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fakes.feature_samples import EMBEDDER
from twin_platform.features import edge
from twin_platform.features.engine import Alias, Delete, HasId, Point, Upsert
from twin_platform.features.mapped import let_go

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no /proc")
SIZE = 4 * 1024 * 1024


@contextmanager
def mapped(file: Path, access: int) -> Iterator[mmap.mmap]:
    """Map a file of `SIZE` bytes and write to every page of it, without a sync."""
    with file.open("w+b") as opened:
        opened.truncate(SIZE)
        with mmap.mmap(opened.fileno(), SIZE, access) as pages:
            pages[:] = b"kept" * (SIZE // 4)
            yield pages


def resident(file: Path) -> int:
    """Return how many KB of the mapped file are resident in this process."""
    lines = iter(Path("/proc/self/smaps").read_text().splitlines())
    return sum(
        int(next(one for one in lines if one.startswith("Rss:")).split()[1]) for line in lines if str(file) in line
    )


def test_what_was_written_is_no_longer_resident_and_still_there(tmp_path: Path) -> None:
    with mapped(tmp_path / "vectors.dat", mmap.MAP_SHARED) as pages:
        before = resident(tmp_path / "vectors.dat")
        let_go(tmp_path, above=0)
        after = resident(tmp_path / "vectors.dat")

        assert (before, after) == (SIZE // 1024, 0)
        assert pages[:] == b"kept" * (SIZE // 4)


def test_files_of_other_folders_and_pages_of_the_process_itself_stay(tmp_path: Path) -> None:
    (tmp_path / "vectors").mkdir()
    own = tmp_path / "vectors" / "own.dat"
    with mapped(tmp_path / "other.dat", mmap.MAP_SHARED), mapped(own, mmap.MAP_PRIVATE) as private:
        let_go(tmp_path / "vectors", above=0)

        assert resident(tmp_path / "other.dat") == SIZE // 1024
        assert private[:] == b"kept" * (SIZE // 4)


def test_little_stays_where_it_is(tmp_path: Path) -> None:
    with mapped(tmp_path / "vectors.dat", mmap.MAP_SHARED):
        let_go(tmp_path, above=2**40)

        assert resident(tmp_path / "vectors.dat") == SIZE // 1024


def test_the_engine_lets_go_of_what_it_has_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "MAPPED_BYTES", 0)
    engine = edge.EdgeEngine(tmp_path, EMBEDDER.spec)
    opened = resident(tmp_path)
    point = Point("f5b3a4c6-6f0e-5e0c-9d4e-0a5c3f1e2d11", {"text": "x" * 1_000_000})

    engine.write(Alias.DOCUMENTS, [Upsert((point,), ())])
    engine.write(Alias.DOCUMENTS, [Delete((HasId(("9c1f7b52-3f0b-5d0c-8a55-7f3a8d8e2c10",)),)) for _ in range(64)])
    after = resident(tmp_path)
    engine.close()

    assert after < opened / 4
