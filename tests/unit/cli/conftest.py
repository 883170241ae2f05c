"""What tests of commands share: an address to ask."""

from collections.abc import Iterator

import pytest

from fakes.served import Stage, served


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """Serve what a test puts on it."""
    stage = Stage()
    with served(stage) as stage.url:
        yield stage
