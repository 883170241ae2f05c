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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run one variant of a test on another installation where all of them run on SQLite; all of them with `--full`."""
    if config.getoption("--full", default=False):
        return
    first = dict[tuple[str, str], pytest.Item]()
    left = [item for item in items if (key := _elsewhere(item)) and first.setdefault(key, item) is not item]
    if left:
        items[:] = [item for item in items if item not in left]
        config.hook.pytest_deselected(items=left)


def _elsewhere(item: pytest.Item) -> tuple[str, str] | None:
    """Return the names of a test and an installation that is not SQLite's, where the test runs on that, too."""
    mark, variant = item.get_closest_marker("fault"), getattr(item, "callspec", None)
    if mark is None or variant is None or mark.args[0] not in SqliteInstallation.faults:
        return None
    on = variant.params.get("services", SqliteInstallation)
    return None if on is SqliteInstallation else (item.nodeid.partition("[")[0], on.__name__)


@pytest.fixture
def services(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqliteInstallation]:
    """An installation with nothing in it, and no process started."""
    servers = {name: request.getfixturevalue(name) for name in request.param.needs}
    with request.param(tmp_path, Ledger(tmp_path / "ledger"), **servers) as services:
        yield services
