"""What pytest does for the fault suite: options, what was seen, the table at the end, and no fault left out."""

from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from faults.table import MAY_BE_MISSING, REQUIRED, SERVER_MISSING, Line, missing, render

LINES = pytest.StashKey[dict[str, Line]]()

Seen = Callable[[object], None]
Durations = Callable[..., float]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults")
    group.addoption("--full", action="store_true", help="the faults' real durations instead of short ones")
    group.addoption("--every-fault", choices=REQUIRED, help="fail where a fault of this list has no passed test")
    group.addoption("--fault-table", type=Path, help="write the table of faults into this file, too")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault(number, fault, expected): which fault of the list a test is about")
    config.stash[LINES] = {}


def pytest_collection_finish(session: pytest.Session) -> None:
    for item in session.items:
        if mark := item.get_closest_marker("fault"):
            session.config.stash[LINES][item.nodeid] = Line(*mark.args)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    line = item.config.stash[LINES].get(item.nodeid)
    if line is not None and (report.when == "call" or report.outcome != "passed"):
        line.outcome = report.outcome
        if report.skipped and isinstance(report.longrepr, tuple):
            reason = report.longrepr[2].removeprefix("Skipped: ")
            line.seen.append(reason)
            line.outcome = SERVER_MISSING if reason.startswith(MAY_BE_MISSING) else report.outcome
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _missing(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = _lines(config)
    if not lines:
        return
    terminalreporter.section("faults")
    terminalreporter.write_line(render(lines))
    if left := _missing(config):
        terminalreporter.write_line(f"no passed test of the faults {', '.join(map(str, left))}", red=True)
    if path := config.getoption("--fault-table", default=None):
        path.write_text(render(lines) + "\n", "utf-8")


def _missing(config: pytest.Config) -> list[int]:
    chosen = config.getoption("--every-fault", default=None)
    return missing(_lines(config), REQUIRED[chosen]) if chosen else []


def _lines(config: pytest.Config) -> list[Line]:
    return list(config.stash[LINES].values())


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Seen:
    """Takes what was seen, for the table: `seen(verdict)`, or any words."""
    line = request.config.stash[LINES][request.node.nodeid]
    return lambda words: line.seen.append(str(words))


@pytest.fixture
def durations(request: pytest.FixtureRequest) -> Durations:
    """Return how long something lasts: `durations(ci=3, full=120)` seconds."""

    def choose(*, ci: float, full: float) -> float:
        return full if request.config.getoption("--full", default=False) else ci

    return choose
