"""The settings' URLs, whose scheme says which adapter is meant."""

from pathlib import Path

MONGO_SCHEMES = ("mongodb", "mongodb+srv")


def scheme_of(url: str) -> str:
    """Return what stands before `://`; empty where there is none."""
    return url.partition("://")[0] if "://" in url else ""


def path_of(url: str) -> Path:
    """Return the file or folder a URL names, taken literally.

    `sqlite:///var/twin.db` is absolute, `sqlite://twin.db` relative to the working directory.
    """
    return Path(url.partition("://")[2])
