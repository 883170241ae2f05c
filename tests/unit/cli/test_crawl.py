"""`twin crawl`: links are the system's work, what is on this machine is read by the command itself."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from rich.console import Console
from rich.progress import Progress

from fakes.api import KEY, Api
from fakes.git import commit
from twin_cli.client import Client
from twin_cli.crawl import Bars, Read, await_indexed, crawl_local, crawl_remote, lines_of
from twin_cli.errors import InputUnreadable, Refused
from twin_cli.inputs import Input, read_inputs
from twin_cli.local import is_repository, path_of, read_folder
from twin_contracts.crawl import LinkKind, LinkState, Refusal
from twin_contracts.documents import AuthorRef, RawArticle, RawCode, Source, document_id_of
from twin_platform.records.crawls import finish_crawl, open_crawls

LINK = "https://blog.example/rye"


class World:
    """An API over stores in memory, and a client of it."""

    def __init__(self) -> None:
        self.api = Api()
        self.client = self.client_with(KEY)
        self.bars = Bars(Progress(console=Console(quiet=True)))

    def client_with(self, key: str) -> Client:
        return Client(lambda: ("http://here:1", key), transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        headers = {name: request.headers[name] for name in ("authorization", "content-type")}
        answer = self.api.client.request(
            request.method, str(request.url.raw_path, "ascii"), content=request.content, headers=headers
        )
        return httpx.Response(
            answer.status_code, content=answer.content, headers={"content-type": answer.headers["content-type"]}
        )

    def crawl(self, path: Path, author: str | None = None) -> Read:
        return crawl_local(self.client, path, author, self.bars)

    def index_everything(self) -> None:
        for document in self.api.documents.find(limit=1000):
            self.api.index(document)

    def stored(self) -> dict[str, RawCode | RawArticle]:
        documents = self.api.documents.find(limit=1000)
        return {
            document.path if isinstance(document, RawCode) else document.title: document
            for document in documents
            if isinstance(document, RawCode | RawArticle)
        }


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    with closing(world.client):
        yield world


def test_a_local_repository_is_sent_file_by_file_and_is_nobodys_but_its_own(world: World, tmp_path: Path) -> None:
    source = "def grind():\n\treturn 1\n\n"
    commit(tmp_path / "mill", {"a.py": source, "README.md": "# Mill\n\nIt grinds.", "vendor/b.py": "b = 1"})

    result = world.crawl(tmp_path / "mill")

    assert (result.stored, result.unchanged, result.note) == (2, 0, "left out: 1 vendored")
    code = world.stored()["a.py"]
    assert code.text == source
    assert (code.author.name, code.source.url) == ("mill", f"{(tmp_path / 'mill').as_uri()}/a.py")


def test_crawled_again_only_what_changed_is_stored_and_what_is_gone_is_deleted(world: World, tmp_path: Path) -> None:
    mill = tmp_path / "mill"
    commit(mill, {"a.py": "a = 1\n", "b.py": "b = 1\n", "c.py": "c = 1\n"})
    world.crawl(mill, "Olga Owner")
    elsewhere = Source(platform="git", url="https://git.example/x.py")
    world.api.documents.upsert(
        world.stored()["a.py"].model_copy(update={"id": document_id_of("x"), "source": elsewhere})
    )
    world.index_everything()
    commit(mill, {"a.py": None, "b.py": "b = 2\n"})

    result = world.crawl(mill, "Olga Owner")

    assert (result.stored, result.unchanged, result.deleted) == (1, 1, 1)
    assert world.api.documents.count() == 3


def test_what_was_imported_by_hand_from_a_repositorys_folder_stays(world: World, tmp_path: Path) -> None:
    mill = tmp_path / "mill"
    commit(mill, {"a.py": "a = 1\n"})
    (mill / "notes.md").write_text("# Notes\n\nNot in the repository yet.")
    (notes,) = read_inputs([mill / "notes.md"], "Olga Owner")
    assert notes.document_id is not None
    assert notes.document is not None
    world.client.put(notes.document_id, notes.document)

    result = world.crawl(mill, "Olga Owner")

    assert result.deleted == 0
    assert set(world.stored()) == {"a.py", "Notes"}


def test_a_repository_of_more_files_than_are_read_deletes_nothing(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mill = tmp_path / "mill"
    commit(mill, {"b.py": "b = 1\n"})
    world.crawl(mill)
    monkeypatch.setattr("twin_crawler.crawlers.git_files.MAX_FILES", 1)
    commit(mill, {"a.py": "a = 1\n"})

    result = world.crawl(mill)

    assert (result.stored, result.deleted) == (1, 0)


def test_a_repository_that_cannot_be_read_deletes_nothing(world: World, tmp_path: Path) -> None:
    mill = tmp_path / "mill"
    commit(mill, {"a.py": "a = 1\n"})
    world.crawl(mill)
    (mill / ".git" / "HEAD").write_text("ref: refs/heads/nothing\n")

    result = world.crawl(mill)

    assert "no commit" in (result.reason or "")
    assert world.api.documents.count() == 1


def test_a_folder_gives_its_texts_and_its_source_without_following_links(world: World, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    (notes / "node_modules").mkdir(parents=True)
    (tmp_path / "secret.py").write_text("password = 1\n")
    (notes / "n.md").write_text("# Notes\n\nA long winter.\n")
    (notes / "page.html").write_text("<title>Page</title><p>Some text.</p>")
    (notes / "x.go").write_text("package main\n")
    (notes / "node_modules" / "y.js").write_text("y()\n")
    (notes / "out.py").symlink_to(tmp_path / "secret.py")

    result = world.crawl(notes, "Olga Owner")

    assert result.stored == 3
    assert world.stored().keys() == {"Notes", "Page", "x.go"}
    assert isinstance(world.stored()["Page"], RawArticle)


def test_a_refused_document_does_not_stop_the_others_but_a_refused_key_does(world: World, tmp_path: Path) -> None:
    (tmp_path / "bad.md").write_bytes(b"# Bad\n\n\xff")
    (tmp_path / "good.md").write_text("# Good\n\nText.\n")

    result = world.crawl(tmp_path)

    assert (result.stored, [line.partition(":")[0] for line in result.refused]) == (1, ["bad.md"])
    world.client = world.client_with("wrong")
    with closing(world.client), pytest.raises(Refused):
        world.crawl(tmp_path)


def test_a_file_url_names_a_place_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()

    assert path_of((tmp_path / "a b").as_uri()) == tmp_path / "a b"
    assert path_of(f"file://localhost{tmp_path}") == tmp_path


@pytest.mark.parametrize(
    "link",
    ["ext::sh -c x", "-u./evil", "file://elsewhere/etc", "ftp://host/x", "git@host:olga/mill", "/no/such/place"],
)
def test_what_is_neither_a_link_nor_a_place_is_refused(
    link: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(InputUnreadable):
        path_of(link)


def test_a_repository_is_known_with_and_without_a_working_tree(tmp_path: Path) -> None:
    commit(tmp_path / "mill", {"a.py": "a = 1\n"})

    assert is_repository(tmp_path / "mill")
    assert is_repository(tmp_path / "mill" / ".git")
    assert not is_repository(tmp_path)


def test_a_folder_of_code_alone_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.go").write_text("package main\n")

    assert [item.name for item in read_folder(tmp_path, None) if isinstance(item, Input)] == ["x.go"]


def test_links_are_a_job_that_is_watched_to_its_end(world: World) -> None:
    waits: list[float] = []

    def crawler(seconds: float) -> None:
        waits.append(seconds)
        (job,) = [stored.record for stored in open_crawls(world.api.records)]
        done = job.links[0].model_copy(
            update={
                "state": LinkState.FINISHED,
                "stored": 2,
                "refused": 1,
                "refusals": (Refusal(what="b", reason="no"),),
            }
        )
        if len(waits) == 3:
            finish_crawl(world.api.records, world.api.clock, job.model_copy(update={"links": (done,)}))

    (result,) = crawl_remote(world.client, [LINK], "Olga", LinkKind.AUTO, world.bars, crawler)

    assert len(waits) == 3
    assert (result.name, result.stored, result.refused) == (LINK, 2, ["b: no"])


def test_what_was_stored_is_waited_for_and_what_is_refused_later_is_told(world: World) -> None:
    article = RawArticle(
        id=document_id_of(LINK), author=AuthorRef.of("A"), source=Source(platform="web"), title="T", text="Rye."
    )
    other = article.model_copy(update={"id": document_id_of("other")})
    world.api.index(article)
    world.api.documents.upsert(other)
    world.api.refuse(other, "nothing is left")
    result = Read("x", stored=2, documents=[article.id, other.id])

    failed = await_indexed(world.client, [result], world.bars, lambda _: None)

    assert failed == [f"not indexed: {other.id}: rejected: nothing is left"]


@pytest.mark.parametrize(
    ("result", "lines"),
    [
        (Read("a", stored=2, unchanged=1), ["a: stored 2, unchanged 1"]),
        (
            Read("a", unchanged=3, deleted=1, note="read as a feed"),
            ["a: stored 0, unchanged 3, deleted 1", "  read as a feed"],
        ),
        (Read("a", reason="it answers 404"), ["a: refused because it answers 404"]),
        (Read("a", stored=1, refused=["b: no"]), ["a: stored 1, unchanged 0, refused 1", "  refused: b: no"]),
    ],
)
def test_a_link_is_one_line(result: Read, lines: list[str]) -> None:
    assert lines_of(result) == lines


def test_of_very_many_refusals_the_first_are_shown() -> None:
    lines = lines_of(Read("a", stored=1, refused=[f"{n}: no" for n in range(30)], more_refused=70))

    assert (lines[0], len(lines), lines[-1]) == ("a: stored 1, unchanged 0, refused 100", 22, "  and 80 more")
