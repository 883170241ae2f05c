"""The fault suite's table: what it shows, and that a fault without a passed test fails the run."""

from pathlib import Path

import pytest

from faults.table import REQUIRED, Line, missing, render

EVERY = ("--every-fault", "embedded")
ON_SERVERS = ("--every-fault", "rabbitmq")
REPORT = Path(__file__).parents[1] / "faults" / "report.py"
LIST = REQUIRED["embedded"]
ALL = "\n".join(
    f"@fault({number}, 'fault {number}', expected='survived')\ndef test_{number}(seen): seen('lost 0')\n"
    for number in sorted(LIST)
)


@pytest.fixture(autouse=True)
def _suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makeconftest(REPORT.read_text("utf-8"))
    pytester.makeini("[pytest]")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def run(pytester: pytest.Pytester, source: str, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile(test_made="import pytest\nfrom faults.table import fault\n" + source)
    return pytester.runpytest_inprocess("--import-mode=importlib", "-p", "no:cacheprovider", *arguments)


def passed(number: int) -> Line:
    return Line(number, "a fault", "survived", ["lost 0"], "passed")


def test_a_line_tells_the_fault_what_was_expected_and_what_was_seen() -> None:
    shown = render([passed(17), Line(2, "a name that is longer than its column", "survived")])

    assert [" ".join(line.split()) for line in shown.splitlines() if line][1:] == [
        "2 a name that is longer than its survived not run",
        "column",
        "17 a fault survived lost 0 passed",
    ]


def test_a_fault_counts_when_all_of_its_tests_passed() -> None:
    lines = [passed(number) for number in LIST]

    assert missing(lines, LIST) == []
    assert missing(lines[1:], LIST) == [lines[0].number]
    assert missing([*lines, Line(17, "another test", "survived", outcome="skipped")], LIST) == [17]


def test_a_server_that_cannot_be_had_fails_no_fault_that_another_test_survived(pytester: pytest.Pytester) -> None:
    reason = "no MongoDB server: set something"
    again = f"@fault({{}}, 'again', expected='survived')\ndef test_again(): pytest.skip('{reason}')\n"
    alone = ALL.replace("def test_36(seen): seen('lost 0')", f"def test_36(seen): pytest.skip('{reason}')")

    beside, without = run(pytester, ALL + again.format(36), *EVERY), run(pytester, alone, *EVERY)

    assert (beside.ret, without.ret) == (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    beside.stdout.fnmatch_lines(["*again*no MongoDB server: set something*"])
    without.stdout.fnmatch_lines(["no passed test of the faults 36*"])


def test_a_run_of_every_fault_passes_and_shows_the_table(pytester: pytest.Pytester) -> None:
    result = run(pytester, ALL, *EVERY, "--fault-table", "table.txt")

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*fault 36 *survived *lost 0 *passed*"])
    assert "fault 36" in (pytester.path / "table.txt").read_text("utf-8")


@pytest.mark.parametrize(
    "change",
    [
        ("def test_36(seen): seen('lost 0')", "def test_36(seen): pytest.skip('no')"),
        ("@fault(36, ", "@pytest.mark.skip\n@fault(36, "),
        ("def test_36(seen): seen('lost 0')", "def test_36(seen): assert False"),
        ("@fault(36, ", "@fault(35, "),
    ],
    ids=["skipped", "marked to be skipped", "failed", "not there"],
)
def test_a_run_that_leaves_a_fault_out_fails_and_names_it(pytester: pytest.Pytester, change: tuple[str, str]) -> None:
    result = run(pytester, ALL.replace(*change), *EVERY)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["no passed test of the faults 36*"])


def test_a_deselected_fault_fails_the_run_of_every_fault_and_no_other(pytester: pytest.Pytester) -> None:
    alone = run(pytester, ALL, "-k", "test_17")
    every = run(pytester, ALL, "-k", "not test_17", *EVERY)

    assert (alone.ret, every.ret) == (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)


def test_a_run_on_servers_needs_the_faults_of_its_own_list(pytester: pytest.Pytester) -> None:
    source = ALL + "".join(
        f"@fault({number}, 'fault {number}', expected='survived')\ndef test_{number}(seen): seen('lost 0')\n"
        for number in sorted(REQUIRED["rabbitmq"] - LIST)
    )

    without = {number: run(pytester, source, "-k", f"not test_{number}", *ON_SERVERS) for number in (11, 35)}

    assert {number: result.ret for number, result in without.items()} == {
        11: pytest.ExitCode.TESTS_FAILED,
        35: pytest.ExitCode.OK,
    }


def test_durations_are_short_unless_full_ones_are_asked_for(pytester: pytest.Pytester) -> None:
    source = "def test(durations): assert durations(ci=1, full=2) == {}"

    assert run(pytester, source.format(1)).ret == pytest.ExitCode.OK
    assert run(pytester, source.format(2), "--full").ret == pytest.ExitCode.OK
