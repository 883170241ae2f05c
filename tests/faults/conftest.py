"""The fault suite: what its faults are survived on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.ledger import Ledger
from faults.installations import MongodbInstallation, RabbitmqInstallation, ServedInstallation, SqliteInstallation
from faults.report import (
    Durations,
    Seen,
    durations,
    pytest_addoption,
    pytest_collection_finish,
    pytest_configure,
    pytest_runtest_makereport,
    pytest_sessionfinish,
    pytest_terminal_summary,
    seen,
)
from integration.broker import broker
from integration.mongod import server

__all__ = [
    "Durations",
    "Seen",
    "broker",
    "durations",
    "pytest_addoption",
    "pytest_collection_finish",
    "pytest_configure",
    "pytest_runtest_makereport",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "seen",
    "server",
]

INSTALLATIONS: list[type[SqliteInstallation]] = [
    SqliteInstallation,
    RabbitmqInstallation,
    ServedInstallation,
    MongodbInstallation,
]
"""Each of them survives the faults that it names; other adapters are bound by another entry."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for `services` on every installation that its fault is survived on."""
    mark = metafunc.definition.get_closest_marker("fault")
    if mark is not None and "services" in metafunc.fixturenames:
        chosen = [one for one in INSTALLATIONS if mark.args[0] in one.faults]
        metafunc.parametrize("services", chosen, indirect=True, ids=lambda installation: installation.__name__)


@pytest.fixture
def services(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqliteInstallation]:
    """An installation with nothing in it, and no process started."""
    servers = {name: request.getfixturevalue(name) for name in request.param.needs}
    with request.param(tmp_path, Ledger(tmp_path / "ledger"), **servers) as services:
        yield services
