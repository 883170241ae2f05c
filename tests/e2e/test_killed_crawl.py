"""kill -9 of `twin up` in the middle of a crawl: it goes on by itself, and reads nothing a second time that it had."""

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.system import RunningSystem, running_system
from fakes.flow import eventually
from fakes.git import commit
from fakes.site import Answer, Site
from twin_platform.documents.open import open_document_store
from twin_platform.telemetry.clock import SystemClock

PAGES = 6
HELD = 3


def page(number: int) -> str:
    paragraphs = "".join(
        f"<p>In the year {1700 + year} mill number {number} ground {year * 7 + number} sacks of rye for the bakers.</p>"
        for year in range(8)
    )
    article = f"<article><h1>Mill {number}</h1>{paragraphs}</article>"
    return f"<html><head><title>Mill {number}</title></head><body>{article}</body></html>"


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as site:
        yield site


@pytest.fixture
def system(site: Site) -> Iterator[RunningSystem]:
    with running_system(CRAWLER_ALLOW_HOSTS=site.allow) as system:
        yield system


def test_a_killed_crawl_goes_on_where_it_was(system: RunningSystem, site: Site) -> None:
    release = threading.Event()

    def held() -> Iterator[bytes]:
        yield b"<!doctype html>"
        release.wait(60)
        yield page(HELD).encode()

    links = [site.page(f"/{number}", page(number)) for number in range(PAGES)]
    site.answer(f"/{HELD}", Answer(held, headers={"Content-Type": "text/html"}))
    crawling = system.start_twin("crawl", *links)
    eventually(lambda: f"/{HELD}" in site.paths(), deadline=60)

    system.kill_child()
    release.set()
    out, err = crawling.communicate(timeout=120)

    assert crawling.returncode == 0, err
    assert [line for line in out.splitlines() if ": stored" in line] == [
        f"{link}: stored 1, unchanged 0" for link in links
    ]
    assert Counter(site.paths()) == {f"/{number}": 2 if number == HELD else 1 for number in range(PAGES)}
    system.stop()
    with open_document_store(f"sqlite://{system.data}/documents.db", SystemClock()) as documents:
        assert documents.count() == PAGES


def test_links_and_a_local_repository_become_searchable_and_follow_their_changes(
    system: RunningSystem, site: Site, tmp_path: Path
) -> None:
    mill = tmp_path / "mill"
    commit(mill, {"grind.py": "def grind(sacks):\n    return sacks\n", "old.py": "def old():\n    return 0\n"})
    first = system.twin("crawl", site.page("/rye", page(1)), site.url + "/nothing", mill.as_uri(), "--author", "Olga")
    commit(mill, {"old.py": None})

    second = system.twin("crawl", f"{site.url}/rye", str(mill), "--author", "Olga")

    assert "/rye: stored 1, unchanged 0" in first.stdout
    assert "/nothing: refused because it answers 404" in first.stdout
    assert "mill: stored 2, unchanged 0" in first.stdout
    assert first.returncode == 1
    assert "/rye: stored 0, unchanged 1" in second.stdout
    assert "mill: stored 0, unchanged 1, deleted 1" in second.stdout
    assert f"{site.url}/rye  (page, 1 document, by Olga" in system.twin("sources").stdout
