"""The fault suite: what its faults are survived on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.ledger import Ledger
from benchmarks.processes import Services
from faults.report import (
    Durations,
    Seen,
    durations,
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_runtest_makereport,
    pytest_sessionfinish,
    pytest_terminal_summary,
    seen,
)

__all__ = [
    "Durations",
    "Seen",
    "durations",
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_runtest_makereport",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "seen",
]

INSTALLATIONS = [Services]
"""Every fault is survived on each of them; other adapters are bound by another entry."""


@pytest.fixture(params=INSTALLATIONS, ids=lambda installation: installation.__name__)
def services(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Services]:
    """An installation with nothing in it, and no process started."""
    with request.param(tmp_path, Ledger(tmp_path / "ledger")) as services:
        yield services
