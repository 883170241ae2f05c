"""The data that the reader is taught with: what its files mean, and that they fit each other."""

import csv
import gzip
from pathlib import Path

import pytest

from benchmarks.reading import texts
from benchmarks.reading.texts import Asked, Sentence, digest_of, read_passages, read_questions

FERRY = "The ferry to the island leaves every morning at seven from the northern pier."
TICKETS = "Tickets are sold on board, and a bicycle travels free of charge in summer."
PAGE = f"<html><body><article><h1>Ferries</h1><p>{FERRY}</p><p>{TICKETS}</p></article></body></html>"
SOURCE = "harbour-doc/ferries.html"


def test_a_question_names_the_sentences_that_answer_or_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "7\t3\tWho?\tAda\n7\t20,21\tHow many?\ttwo\n7\t-10\tWhy?\n8\t0\tOf no passage here?\tyes\n"
    (tmp_path / "questions.tsv.gz").write_bytes(gzip.compress(rows.encode()))
    monkeypatch.setattr(texts, "HERE", tmp_path)

    assert read_questions({7: []}) == [
        Asked(7, "Who?", (3,), frozenset({3}), "Ada"),
        Asked(7, "How many?", (20, 21), frozenset({20, 21}), "two"),
        Asked(7, "Why?", (10,), frozenset(), ""),
    ]


def test_a_passage_is_known_by_its_sentences_without_their_headings() -> None:
    assert digest_of([Sentence("It is cut.", "Bread"), Sentence("Twice.", "")]) == "6d891b96f3bc"


@pytest.mark.parametrize(
    ("digest", "found"),
    [(digest_of([Sentence(TICKETS, "")]), {5: [Sentence(TICKETS, "Ferries")]}), ("0" * 12, {})],
    ids=["as it was", "another text"],
)
def test_a_passage_is_had_again_only_as_it_was(
    digest: str, found: dict[int, list[Sentence]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "harbour-doc").mkdir()
    (tmp_path / SOURCE).write_text(PAGE, "utf-8")
    (tmp_path / "passages.tsv").write_text(
        f"5\t{SOURCE}\t1\t1\t{digest}\n6\tgone-doc/gone.html\t0\t1\t{digest}\n", "utf-8"
    )
    monkeypatch.setattr(texts, "HERE", tmp_path)

    assert read_passages(tmp_path) == found


def test_every_question_is_about_a_sentence_of_a_listed_passage() -> None:
    with (texts.HERE / "passages.tsv").open(encoding="utf-8") as rows:
        counts = {int(row[0]): int(row[3]) for row in csv.reader(rows, delimiter="\t")}

    asked = read_questions({number: [] for number in counts})

    assert (len(counts), len(asked), sum(not one.answers for one in asked)) == (2351, 19_684, 8223)
    assert [one for one in asked if max(one.near) >= counts[one.passage]] == []
