"""Nothing that comes from a document, a file's name or a foreign system steers the terminal it is printed on."""

import io
import subprocess
import sys
import unicodedata

import pytest
from rich.console import Console

from twin_cli import show
from twin_cli.import_documents import Imported
from twin_cli.terminal import TerminalLogger, harmless, say, saying, tell

EMBEDDINGS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
STEERS = "".join(
    character
    for character in map(chr, range(sys.maxunicode + 1))
    if character not in "\t\n"
    and (unicodedata.category(character) == "Cc" or unicodedata.bidirectional(character) in EMBEDDINGS)
)
EVIL = f"\x1b]0;owned\x07\x1b[2J\x9b31mred \u202etxt.exe\u202c {STEERS}"


def steers(text: str) -> set[str]:
    return set(text) & set(STEERS)


def test_every_control_and_override_of_unicode_is_made_harmless() -> None:
    assert steers(harmless(EVIL)) == set()


def test_an_override_is_shown_where_it_stands() -> None:
    assert harmless("access = 'user\u202e \u2066// admin\u2069 \u2066'") == (
        r"access = 'user\u202e \u2066// admin\u2069 \u2066'"
    )


@pytest.mark.parametrize("text", ["שלום עולם", "👩\u200d👩\u200d👧", "می\u200cخواهم", "e\u0301", "日本語", "a\tb\nc"])
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_whatever_way_a_line_is_printed_it_is_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    console = io.StringIO()

    say(EVIL)
    tell(EVIL)
    saying(Console(file=console, markup=False))(EVIL)
    TerminalLogger().event("vectors_set_aside", why=EVIL)

    output = capsys.readouterr()
    listed = show.imported(Imported(refused=[f"{EVIL}.md: {EVIL}"]))
    assert steers(output.out + output.err + console.getvalue() + listed) == set()
    assert "[2J" in output.out


def test_a_terminal_that_lacks_a_character_gets_its_number() -> None:
    program = "from twin_cli.terminal import print_anything, tell; print_anything(); tell('tea for 👩 \\ud800')"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, env={"PYTHONIOENCODING": "latin-1"}
    )

    assert done.stdout == (b"tea for \\U0001f469 \\ud800\n")
