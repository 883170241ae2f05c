"""Which adapter and which file a URL means."""

from pathlib import Path

import pytest

from twin_platform.urls import path_of, scheme_of


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///var/twin data/documents.db", Path("/var/twin data/documents.db")),
        ("sqlite://documents.db", Path("documents.db")),
        ("edge://folder/vectors", Path("folder/vectors")),
    ],
)
def test_a_url_with_three_slashes_is_absolute_and_with_two_relative(url: str, path: Path) -> None:
    assert path_of(url) == path


def test_a_scheme_is_what_stands_before_the_slashes() -> None:
    assert [scheme_of(url) for url in ("sqlite:///x.db", "mongodb://h/x", "x.db")] == ["sqlite", "mongodb", ""]
