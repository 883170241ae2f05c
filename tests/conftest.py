"""What holds for every test: which may skip, which may reach the network, how properties are searched."""

import gc
import ipaddress
import os
import socket
from collections.abc import Generator
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest

TESTS = Path(__file__).parent
ARTICLES = "TWIN_TEST_ARTICLES"
NO_MONGODB = "no MongoDB server"
MAY_BE_MISSING = (ARTICLES, NO_MONGODB)
"""How a skip's reason has to begin to be accepted where `--require-services` is given."""
OFFLINE = {"unit", "contract"}
"""Levels that need nothing, so a connection is a mistake."""

# A machine shared with other work is slow at times; how long one example takes says nothing about the code.
hypothesis.settings.register_profile("house", hypothesis.settings(), deadline=None)
# Fifty times the examples, for who has the night: `pytest --hypothesis-profile full`.
hypothesis.settings.register_profile("full", hypothesis.settings(), deadline=None, max_examples=5000)
hypothesis.settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-services",
        action="store_true",
        help=f"fail where a test skips, unless its reason begins with one of: {', '.join(MAY_BE_MISSING)}",
    )
    parser.addoption(
        "--require-servers", action="store_true", help="fail where any test skips, for want of a server, too"
    )


@pytest.hookimpl(optionalhook=True)  # a run inside a test has one process
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: the tests wait a third of their time, for a disk, a deadline, a thread."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported stays: the collector need not look at it again and again, a tenth of the tests' time."""
    if gc.get_freeze_count():  # a run inside a test
        return (yield)
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("articles") and not os.environ.get(ARTICLES):
        pytest.skip(f"{ARTICLES} names no file of real articles")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if not hasattr(report, "wasxfail"):
        _refuse_skip(item.config, report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(collector.config, report)
    return report


def _refuse_skip(config: pytest.Config, report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure in CI: what is not tested there is tested nowhere."""
    options = [option for option in ("--require-servers", "--require-services") if config.getoption(option)]
    if report.skipped and options and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if "--require-servers" in options or not reason.startswith(MAY_BE_MISSING):
            report.outcome = "failed"
            report.longrepr = f"skipped under {options[0]}: {reason}"


@pytest.fixture
def articles() -> Path:
    """The file of real articles; its tests carry the marker `articles` and skip where there is none."""
    path = Path(os.environ[ARTICLES])
    assert path.is_file(), f"{ARTICLES}={path} is no file"
    return path


@pytest.fixture(autouse=True)
def _offline(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let unit and contract tests reach this machine alone."""
    if request.path.relative_to(TESTS).parts[0] not in OFFLINE:
        return
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def connect_here(self: socket.socket, address: tuple[str, int] | str) -> None:
        if self.family != socket.AF_UNIX and not _is_loopback(str(address[0])):
            _refuse_connection(address)
        connect(self, address)

    def look_up_here(host: str | bytes | None, *arguments: int | str | None, **options: int) -> object:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and not _is_loopback(name):
            _refuse_connection(name)
        return look_up(host, *arguments, **options)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(socket.socket, "connect", connect_here)
    monkeypatch.setattr(socket, "getaddrinfo", look_up_here)


def _is_loopback(host: str) -> bool:
    if host in {"localhost", ""}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse_connection(address: object) -> NoReturn:
    pytest.fail(f"a unit or contract test reached for {address!r}; pass a fake in, or move the test to integration")
