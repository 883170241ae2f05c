"""What `twin demo` says in front of its reader is true."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
QUESTION = "How long does the varnish dry between two coats?"
SENTENCE = "I let the varnish dry for 14 hours between two coats."
CHANGED = "I let the varnish dry for 36 hours between two coats."
REFUSAL = "Nothing in these texts answers that."

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Answer:
    """One answer as the reader sees it."""

    question: str
    quotes: list[tuple[str, str]]
    """Each quote with the address under its mark."""
    text: str


def demo(*words: str, data: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TWIN_DATA": str(data), "PYTHONIOENCODING": "utf-8"}
    for name in ("TWIN_URL", "TWIN_API_KEY", "LLM_URL"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "twin_cli", "demo", *words]
    return subprocess.run(
        command, cwd=data.parent, env=environment, capture_output=True, text=True, timeout=240, check=False
    )


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> str:
    data = tmp_path_factory.mktemp("demo") / "own"
    done = demo(data=data)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not data.exists(), "the demo wrote into the user's data folder"
    return done.stdout


def answers(shown: str) -> list[Answer]:
    found = []
    for block in re.findall(r'^ +\$ twin ask ".*"\n(?:.+\n|\n(?= +\[1\]))+', shown, re.MULTILINE):
        asked, _, rest = block.partition("\n")
        text, _, sources = rest.partition("\n\n")
        address = {
            mark: line.strip()
            for marks, line in re.findall(r"^ +((?:\[\d+\])+) .*\n(.*)$", sources, re.MULTILINE)
            for mark in re.findall(r"\[\d+\]", marks)
        }
        quotes = [(quote, address[mark]) for quote, mark in re.findall(r"^ +(.*) (\[\d+\])$", text, re.MULTILINE)]
        found.append(Answer(asked.partition('"')[2].rstrip('"'), quotes, text.strip()))
    return found


@cache
def document(address: str) -> str:
    """Return what the demo has read under a file URL: the clone's newest commit, or the samples as they lie there."""
    path = Path(unquote(urlsplit(address).path)).relative_to(ROOT)
    if path.is_relative_to("demo"):
        return folded((ROOT / path).read_text("utf-8"))
    command = ["git", "-c", "safe.directory=*", "show", f"HEAD:{path.as_posix()}"]
    return folded(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


def folded(text: str) -> str:
    return " ".join(text.split())


def test_every_quote_stands_word_for_word_in_the_document_cited_for_it(shown: str) -> None:
    quotes = [(quote, address) for answer in answers(shown) for quote, address in answer.quotes]

    assert len({address for _, address in quotes}) >= 2
    for quote, address in quotes:
        assert folded(quote) in document(address).replace(SENTENCE, f"{SENTENCE} {CHANGED}")


def test_the_edit_and_the_deletion_change_the_answer(shown: str) -> None:
    before, edited, deleted = (answer for answer in answers(shown) if answer.question == QUESTION)

    assert SENTENCE in before.text
    assert CHANGED not in before.text
    assert CHANGED in edited.text
    assert SENTENCE not in edited.text
    assert deleted.text == REFUSAL


def test_the_clones_own_documentation_answers_a_question_about_it(shown: str) -> None:
    first = answers(shown)[0]

    assert first.quotes
    assert all("/docs/" in address for _, address in first.quotes)


def test_an_edit_of_one_sentence_embeds_its_chunk_alone(shown: str) -> None:
    told = re.search(r"Chunks embedded: (\d+); chunks that kept their vector: (\d+)", shown)

    assert told
    assert int(told[1]) == 1
    assert int(told[2]) >= 2


def test_the_style_card_and_the_way_to_a_draft_are_shown(shown: str) -> None:
    assert "Mira Sample, from" in shown
    assert "sentence length" in shown
    assert "ollama pull" in shown
    assert "./twin crawl https://your.blog/feed" in shown


def test_the_same_is_shown_on_texts_of_ones_own(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "bees.md").write_text("# Bees\n\nA hive in winter eats about twelve kilograms of honey before April.\n")
    before = (notes / "bees.md").read_bytes()

    done = demo(str(notes), data=tmp_path / "own")

    assert done.returncode == 0, done.stdout + done.stderr
    asked, edited, deleted = answers(f"{done.stdout}\n")
    assert "before April. [1]" in asked.text
    assert "before April, and these words are the demo's. [1]" in edited.text
    assert deleted.text == REFUSAL
    assert f"./twin crawl {notes}" in done.stdout
    assert (notes / "bees.md").read_bytes() == before


def test_a_folder_that_says_nothing_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    done = demo(str(tmp_path / "empty"), data=tmp_path / "own")

    assert done.returncode == 1
    assert "found no plain sentence" in done.stderr
    assert "Traceback" not in done.stderr
