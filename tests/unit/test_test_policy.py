"""What tests/conftest.py promises about skips and the network, shown on tests made for it."""

from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"


@pytest.fixture(autouse=True)
def rules(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makeconftest(CONFTEST.read_text("utf-8"))
    pytester.makeini("[pytest]\nmarkers = articles")
    monkeypatch.delenv("TWIN_TEST_ARTICLES", raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def outcomes(pytester: pytest.Pytester, level: str, source: str, *arguments: str) -> dict[str, int]:
    path = pytester.mkdir(level) / "test_made.py"
    path.write_text("import pytest, socket\n" + source, "utf-8")
    return pytester.runpytest_inprocess(
        "--import-mode=importlib", "-p", "no:cacheprovider", *arguments, path
    ).parseoutcomes()


def test_a_missing_server_skips_on_a_developers_machine(pytester: pytest.Pytester) -> None:
    assert outcomes(pytester, "integration", "def test(): pytest.skip('no broker')") == {"skipped": 1}


@pytest.mark.parametrize(
    "source",
    [
        "def test(): pytest.skip('no broker')",
        "@pytest.mark.skip(reason='no broker')\ndef test(): pass",
        "@pytest.fixture\ndef broker(): pytest.skip('no broker')\ndef test(broker): pass",
    ],
    ids=["in a test", "by a mark", "in a fixture"],
)
def test_a_missing_server_fails_in_ci(pytester: pytest.Pytester, source: str) -> None:
    counts = outcomes(pytester, "integration", source, "--require-services")

    assert counts.keys() & {"failed", "errors"}
    assert "skipped" not in counts


def test_a_module_that_skips_as_a_whole_fails_in_ci(pytester: pytest.Pytester) -> None:
    assert outcomes(
        pytester, "integration", "pytest.skip('no broker', allow_module_level=True)", "--require-services"
    ) == {"errors": 1}


def test_missing_articles_skip_in_ci_too(pytester: pytest.Pytester) -> None:
    source = "@pytest.mark.articles\ndef test(articles): pass"

    assert outcomes(pytester, "e2e", source, "--require-services") == {"skipped": 1}


@pytest.mark.parametrize(("option", "outcome"), [("--require-services", "skipped"), ("--require-servers", "failed")])
def test_a_server_that_nobody_packages_may_be_missing_but_where_it_was_put(
    pytester: pytest.Pytester, option: str, outcome: str
) -> None:
    source = "def test(): pytest.skip('no MongoDB server: set something')"

    assert outcomes(pytester, "integration", source, option) == {outcome: 1}


def test_articles_that_were_promised_and_are_not_there_are_an_error(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWIN_TEST_ARTICLES", "nowhere.json")

    assert outcomes(pytester, "e2e", "@pytest.mark.articles\ndef test(articles): pass") == {"errors": 1}


def test_an_expected_failure_is_no_skip(pytester: pytest.Pytester) -> None:
    source = "@pytest.mark.xfail(reason='known')\ndef test(): assert False"

    assert outcomes(pytester, "unit", source, "--require-services") == {"xfailed": 1}


@pytest.mark.parametrize("level", ["unit", "contract"])
@pytest.mark.parametrize(
    "reach",
    ["socket.create_connection(('192.0.2.1', 80), timeout=1)", "socket.getaddrinfo('example.com', 80)"],
    ids=["address", "name"],
)
def test_a_test_that_needs_nothing_cannot_reach_the_network(pytester: pytest.Pytester, level: str, reach: str) -> None:
    assert outcomes(pytester, level, f"def test(): {reach}") == {"failed": 1}


def test_a_test_that_needs_nothing_can_reach_its_own_machine(pytester: pytest.Pytester) -> None:
    source = (
        "def test():\n"
        "    with socket.create_server(('127.0.0.1', 0)) as server:\n"
        "        socket.create_connection(('localhost', server.getsockname()[1]), timeout=5).close()\n"
    )

    assert outcomes(pytester, "unit", source) == {"passed": 1}
