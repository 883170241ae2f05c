"""Repositories and folders of this machine, read by the command itself: the HTTP service never opens a local file."""

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from twin_cli.errors import InputUnreadable
from twin_cli.inputs import FORMATS, Input, read_inputs
from twin_contracts.crawl import Refusal
from twin_contracts.documents import AuthorRef, Raw, RawArticle, RawCode
from twin_contracts.http import DocumentInput
from twin_crawler.crawlers.folder import source_files
from twin_crawler.crawlers.git import crawl_local
from twin_crawler.crawlers.git_files import Place, document_of
from twin_crawler.ports import Found, Note

PLATFORM: Final = "git"
"""What the files of a repository say that they come from."""
_TEXTS = frozenset(FORMATS)
"""Endings that `read_inputs` reads as texts, which is what they are in a folder that is no repository."""


def path_of(link: str) -> Path:
    """Return the file or folder that an argument names, as a path or as a file URL.

    Raises:
        InputUnreadable: there is nothing there, or it is on another machine.
    """
    if link.lower().startswith("file:"):
        split = urlsplit(link)
        if split.netloc not in {"", "localhost"}:
            raise InputUnreadable(link, f"it names the machine {split.netloc!r}; only files of this one are read")
        path = Path(url2pathname(split.path))
    else:
        path = Path(link).expanduser()
    if not path.exists():
        raise InputUnreadable(link, "it is neither an http or https link nor a file or folder of this machine")
    return path.resolve()


def is_repository(path: Path) -> bool:
    """Return whether a folder is a Git repository, with or without a working tree."""
    return (path / ".git").exists() or ((path / "HEAD").is_file() and (path / "objects").is_dir())


def read_repository(path: Path, author: str | None) -> Generator[Input | Found | Note, None, None]:
    """Yield whether they are all, then the files of a repository's newest commit, and at last what was left out.

    Raises:
        CrawlError: git cannot read it.
    """
    whose = AuthorRef.of(author or path.name)  # a repository is somebody's only where that is said
    uri = path.as_uri()
    with closing(crawl_local(path, Place(uri, PLATFORM, whose, uri + "/{path}"))) as items:
        for item in items:
            if isinstance(item, Found | Note):
                yield item
            elif isinstance(item, Refusal):
                yield Input(item.what, refused=item.reason)
            elif isinstance(item, RawArticle | RawCode):
                yield _input_of(item, item.author.name)


def read_folder(path: Path, author: str | None) -> Generator[Input | Note, None, None]:
    """Yield a folder's texts as `twin import` does, and its source files; or the one file that it is."""
    yield from read_inputs([path], author)
    if path.is_dir():
        uri = path.as_uri()
        place = Place(uri, "folder", AuthorRef.of(author or path.name), uri + "/{path}")
        for read in source_files(path):
            item = read if isinstance(read, Refusal) else document_of(place, *read)
            if isinstance(item, Refusal):
                yield Input(item.what, refused=item.reason)
            elif isinstance(item, RawCode) and Path(item.path).suffix.lower() not in _TEXTS:
                yield _input_of(item, author)


def _input_of(raw: Raw, author: str | None) -> Input:
    """Return a raw document as a client sends it."""
    fields = raw.model_dump(exclude={"id", "author", "source"}, exclude_none=True)
    sent = DocumentInput(**fields, author=author, url=raw.source.url, platform=raw.source.platform)
    name = raw.path if isinstance(raw, RawCode) else raw.source.url or raw.id
    return Input(name, raw.id, sent)
