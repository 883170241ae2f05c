"""Errors of the platform: transient ones are tried again, permanent ones are told."""

from typing import ClassVar


class PlatformError(Exception):
    """Base of every error that a port raises on purpose."""


class TransientError(PlatformError):
    """May pass by itself; retry with backoff, then stop without acknowledging."""


class DatabaseUnavailable(TransientError):
    """A database did not answer; each kind says what its file holds."""

    holds: ClassVar[str]
    """What is lost with the file, and what to do about one that cannot be used."""


class PermanentError(PlatformError):
    """Trying again changes nothing; the message says what to do."""

    runbook: ClassVar[str] = "A service stops by itself"
    """Section of docs/runbook.md for whoever runs the process that it ends."""


class UnknownScheme(PermanentError):
    """A URL names an adapter that does not exist."""

    runbook = "A setting is wrong"

    def __init__(self, port: str, url: str, known: tuple[str, ...]) -> None:
        self.port, self.url, self.known = port, url, known
        schemes = ", ".join(f"{scheme}://" for scheme in known)
        scheme = url.partition("://")[0]  # what follows may hold a password
        super().__init__(f"no {port} adapter for {scheme!r}; use a URL that starts with one of: {schemes}")
