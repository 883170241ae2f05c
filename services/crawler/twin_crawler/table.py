"""Which crawler reads which link: the one table, looked up by host and kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from twin_contracts.crawl import LinkKind
from twin_crawler.address import normalised
from twin_crawler.errors import FetchRefused, Reason
from twin_crawler.ports import Crawler

ANY = "*"
"""Stands for every host that has no row of its own."""
_REPOSITORY_PARTS = 2


@dataclass(frozen=True, slots=True)
class Choice:
    """Who reads a link, and under which name it is remembered."""

    crawler: Crawler
    link: str
    source: str
    unknown_host: str | None = None
    """The host, where nothing particular is known of it."""


class CrawlerTable:
    """Rows of (host, kind) -> crawler. A host's row holds for its subdomains, too.

    Args:
        rows: with one for (`ANY`, kind) of every kind.
        forbidden: hosts that no program may read -> what to do instead.
    """

    def __init__(self, rows: Mapping[tuple[str, LinkKind], Crawler], forbidden: Mapping[str, str]) -> None:
        missing = [kind for kind in LinkKind if (ANY, kind) not in rows]
        if missing:
            message = f"the table of crawlers has no row for any host and {missing[0]}"
            raise ValueError(message)
        self._rows, self._forbidden = dict(rows), dict(forbidden)

    def choose(self, link: str, kind: LinkKind) -> Choice:
        """Return who reads the link.

        Raises:
            FetchRefused: it is no URL to crawl, or its host forbids it.
        """
        url = normalised(link)
        split = urlsplit(url)
        hosts = _with_parents(split.hostname or "")
        for host in hosts:
            if host in self._forbidden:
                raise FetchRefused(url, Reason.ROBOTS, self._forbidden[host])
        if kind is LinkKind.AUTO and self._is_repository(hosts, split.path):
            kind = LinkKind.GIT
        source = url.rstrip("/").removesuffix(".git") if kind is LinkKind.GIT else url
        for host in hosts:
            if (host, kind) in self._rows:
                return Choice(self._rows[host, kind], url, source)
        unknown = split.hostname if kind is LinkKind.AUTO else None
        return Choice(self._rows[ANY, kind], url, source, unknown)

    def _is_repository(self, hosts: list[str], path: str) -> bool:
        """Return whether a URL names a repository: by its ending, or as `/owner/name` of a host of repositories."""
        parts = path.strip("/").split("/")
        hosts_repositories = any((host, LinkKind.GIT) in self._rows for host in hosts)
        return path.rstrip("/").endswith(".git") or (hosts_repositories and len(parts) == _REPOSITORY_PARTS)


def _with_parents(host: str) -> list[str]:
    """Return the host, then each domain above it."""
    labels = host.split(".")
    return [".".join(labels[start:]) for start in range(len(labels))]
