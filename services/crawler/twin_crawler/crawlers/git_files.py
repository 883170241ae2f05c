"""The files of an opened repository as documents, its submodules among them."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import quote, urljoin

from pydantic import ValidationError

from twin_contracts.crawl import Refusal
from twin_contracts.documents import AuthorRef, Raw, RawArticle, RawCode, Source, TextFormat, document_id_of
from twin_crawler.crawlers.git_command import Entry, Git
from twin_crawler.crawlers.source_files import LeftOut, by_content, by_name, is_markdown, is_vendored, language_of
from twin_crawler.errors import FetchFailed, FetchRefused, Reason
from twin_platform.titles import title_of

MAX_FILES = 20_000
MAX_TEXT_BYTES = 256 * 1024 * 1024
MAX_SUBMODULES = 20
_BY_RULE = frozenset({Reason.SCHEME, Reason.URL, Reason.CREDENTIALS, Reason.ADDRESS})
_PER_READ = 500
"""Files whose contents one git process reads."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a repository's documents say that they come from."""

    repository: str
    """Its canonical URL: with a path, the identity of a document."""
    platform: str
    author: AuthorRef
    file_url: str
    """A file's own URL, with `{path}` in it."""


def document_of(place: Place, path: str, text: str) -> Raw | Refusal:
    """Return the document of one file: an article where it is Markdown, else code with every space kept."""
    shared = {
        "id": document_id_of(f"{place.repository}/{path}"),
        "author": place.author,
        "source": Source(platform=place.platform, url=place.file_url.replace("{path}", quote(path))),
        "text": text,
    }
    try:
        if is_markdown(path):
            return RawArticle.model_validate(shared | {"title": title_of(text, TextFormat.MARKDOWN) or path})
        own = {"repository": place.repository, "path": path, "language": language_of(path)}
        return RawCode.model_validate(shared | own)
    except ValidationError as error:
        return Refusal(what=path, reason=error.errors()[0]["msg"])


@dataclass
class Files:
    """Reads a repository's files, those of its submodules behind them; counts what it leaves out.

    Args:
        git: runs in a folder where submodules may be put.
        enter: fetches a submodule by its absolute URL and commit into a folder, or raises why not.
    """

    git: Git
    folder: Path
    enter: Callable[[str, str, Path], None]
    left_out: Counter[LeftOut] = field(default_factory=Counter)
    whole: bool = True
    """Whether nothing is missing but what is never read."""
    _chosen: list[tuple[Path, str, Entry]] = field(default_factory=list)
    _refused: list[Refusal] = field(default_factory=list)
    _bytes: int = 0
    _entered: int = 0

    def choose(self, repository: Path, url: str, commit: str, above: str = "") -> int:
        """Choose the files to read below a commit; return how many items `read` will yield at most."""
        modules: list[Entry] = []
        urls: dict[str, str] = {}
        named: list[Entry] = []
        for entry in self.git.tree(repository, commit):
            if entry.path == ".gitmodules" and entry.is_file:
                urls = self.git.submodules(repository, commit)
            if entry.mode == "160000":
                modules.append(entry)
            elif not entry.is_file:
                self.left_out[LeftOut.LINK] += 1
            elif reason := by_name(entry.path, entry.size):
                self.left_out[reason] += 1
            else:
                named.append(entry)
        theirs = self.git.attributed(repository, commit, [entry.path for entry in named]) if named else set()
        for entry in named:
            self._choose(repository, above, entry, theirs)
        if modules:
            self._enter_modules(url, modules, urls, above)
        return len(self._chosen) + len(self._refused)

    def read(self) -> Iterator[tuple[str, str] | Refusal]:
        """Yield path and text of each chosen file that is text, and each submodule that is refused."""
        yield from self._refused
        for repository in dict.fromkeys(place for place, _, _ in self._chosen):
            mine = [(above, entry) for place, above, entry in self._chosen if place == repository]
            for first in range(0, len(mine), _PER_READ):
                batch = mine[first : first + _PER_READ]
                contents = self.git.contents(repository, [entry for _, entry in batch])
                for (above, entry), (_, content) in zip(batch, contents, strict=True):
                    text = by_content(entry.path, content)
                    if isinstance(text, LeftOut):
                        self.left_out[text] += 1
                    else:
                        yield above + entry.path, text

    def _choose(self, repository: Path, above: str, entry: Entry, theirs: set[str]) -> None:
        if entry.path in theirs:
            self.left_out[LeftOut.VENDORED] += 1
        elif len(self._chosen) == MAX_FILES or self._bytes + entry.size > MAX_TEXT_BYTES:
            self.left_out[LeftOut.TOO_MANY] += 1
            self.whole = False
        else:
            self._bytes += entry.size
            self._chosen.append((repository, above, entry))

    def _enter_modules(self, url: str, modules: list[Entry], urls: dict[str, str], above: str) -> None:
        for module in modules:
            path = above + module.path
            if module.path not in urls or self._entered == MAX_SUBMODULES or is_vendored(PurePosixPath(path)):
                self.left_out[LeftOut.LINK] += 1
                self.whole &= self._entered < MAX_SUBMODULES
                continue
            self._entered += 1
            inside = self.folder / f"module-{self._entered}"
            where = urls[module.path]
            if where.startswith(("./", "../")):
                where = urljoin(url.rstrip("/") + "/", where)
            try:
                self.enter(where, module.object_id, inside)
                self.choose(inside, where, self.git.commit(inside, module.object_id), f"{path}/")
            except (FetchRefused, FetchFailed) as error:
                self._refused.append(Refusal(what=f"submodule {path}", reason=str(error)))
                self.whole &= isinstance(error, FetchRefused) and error.reason in _BY_RULE
