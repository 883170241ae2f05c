"""A Git repository by https: the files of its newest commit, one document each."""

import tempfile
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

from twin_contracts.crawl import LinkKind, Refusal
from twin_contracts.documents import AuthorRef
from twin_crawler.address import AddressPolicy, Target
from twin_crawler.crawlers.git_command import Git
from twin_crawler.crawlers.git_files import Files, Place, document_of
from twin_crawler.errors import FetchRefused, Reason
from twin_crawler.ports import Authorship, Found, Item, Note, Validators


@dataclass(frozen=True)
class CrawlGit:
    """Fetch the newest commit of a repository, without its history, and yield its files.

    A host that the installation allows may be asked by http, too.

    Args:
        policy: says which hosts may be asked; git then connects to the addresses that were checked, and follows no
            redirect.
        file_url: a file's own URL at this host, with `{repository}` and `{path}` in it.
        ending: what the host wants at the end of a repository's URL.
        stop: asked while git works; true ends it.
    """

    policy: AddressPolicy
    platform: str = "git"
    file_url: str = "{repository}"
    ending: str = ""
    stop: Callable[[], bool] = bool

    def __call__(self, link: str, authorship: Authorship, known: Validators) -> Generator[Item, None, None]:
        """Yield the documents; what the repository no longer has is not among them."""
        target = self._checked(link)
        repository = target.url.rstrip("/").removesuffix(".git")
        name = target.path.strip("/").removesuffix(".git")
        place = Place(
            repository=repository,
            platform=self.platform,
            author=authorship.given or AuthorRef.of(name),  # a repository is somebody's only where that is said
            file_url=self.file_url.replace("{repository}", repository),
        )
        with tempfile.TemporaryDirectory(prefix="twin-git-", ignore_cleanup_errors=True) as folder:
            git = Git(link, Path(folder), "https" if target.scheme == "https" else "http:https", stop=self.stop)
            cloned = Path(folder, "repository")
            git.fetch(repository + self.ending if self.ending else target.url, cloned, target)

            def enter(url: str, commit: str, into: Path) -> None:
                inside = self._checked(url)
                git.fetch(inside.url, into, inside, commit)

            commit = git.commit(cloned, "FETCH_HEAD")
            if commit == known.etag:
                yield Found(LinkKind.GIT, unchanged=True)
                return
            yield from documents_of(Files(git, Path(folder), enter), cloned, commit, target.url, place)

    def _checked(self, link: str) -> Target:
        if not link.startswith(("https://", "http://")):
            raise FetchRefused(link, Reason.SCHEME, "repositories are fetched by https:// only")
        if "?" in link:
            raise FetchRefused(link, Reason.URL, "a repository's URL has no query")
        target = self.policy.check(link)
        if target.scheme != "https" and not self.policy.allows(target):
            why = f"repositories are fetched by https:// only; if {target.name} is yours, add it to CRAWLER_ALLOW_HOSTS"
            raise FetchRefused(link, Reason.SCHEME, why)
        return target


def crawl_local(repository: Path, place: Place) -> Generator[Item, None, None]:
    """Yield the newest commit of a repository of this machine, read where it is; git reaches nothing else."""
    with tempfile.TemporaryDirectory(prefix="twin-git-", ignore_cleanup_errors=True) as folder:
        git = Git(repository.as_uri(), Path(folder), protocol="")
        files = Files(git, Path(folder), _refuse_local)
        yield from documents_of(files, repository, git.commit(repository, "HEAD"), repository.as_uri(), place)


def documents_of(files: Files, repository: Path, commit: str, url: str, place: Place) -> Generator[Item, None, None]:
    """Yield what a commit of an opened repository holds; it was fetched from `url`."""
    expected = files.choose(repository, url, commit)
    yield Found(LinkKind.GIT, expected, etag=commit, whole=files.whole)
    for read in files.read():
        yield read if isinstance(read, Refusal) else document_of(place, *read)
    if files.left_out:
        counts = ", ".join(f"{count:,} {reason}" for reason, count in sorted(files.left_out.items()))
        yield Note(f"left out: {counts}")


def _refuse_local(url: str, _commit: str, _into: Path) -> None:
    raise FetchRefused(
        url, Reason.SCHEME, "submodules of a local repository are not followed; crawl them by themselves"
    )
