"""The name of the platform that a page stands on; only metadata."""

from urllib.parse import urlsplit

_PLATFORMS = {
    "bearblog.dev": "bearblog",
    "blogspot.com": "blogger",
    "dev.to": "dev.to",
    "ghost.io": "ghost",
    "github.com": "github",
    "github.io": "github",
    "gitlab.com": "gitlab",
    "gitlab.io": "gitlab",
    "hashnode.dev": "hashnode",
    "linkedin.com": "linkedin",
    "medium.com": "medium",
    "substack.com": "substack",
    "tumblr.com": "tumblr",
    "wordpress.com": "wordpress",
}
_MOST_CHARACTERS = 100


def platform_of(url: str) -> str:
    """Return the platform's name: by its domain, which holds for its subdomains; else the host."""
    host = (urlsplit(url).hostname or "web").removeprefix("www.")
    labels = host.split(".")
    for start in range(len(labels)):
        if found := _PLATFORMS.get(".".join(labels[start:])):
            return found
    return host[:_MOST_CHARACTERS]
