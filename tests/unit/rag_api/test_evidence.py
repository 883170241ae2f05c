"""What the reader is given of the chunks that were found, and where its scores go."""

from collections.abc import Sequence

import numpy as np

from fakes.api import OWNER, Api
from twin_contracts.documents import document_id_of_client
from twin_contracts.http import DocumentInput, SearchFilters
from twin_platform.reading.port import Excerpt, Scores
from twin_rag_api.answer import Answerer
from twin_rag_api.evidence import Candidate
from twin_rag_api.raw import raw_document

TEXT = """Cats purr with the larynx.

# Dogs

A dog barks. It does so at night.

# Birds

A bird sings."""


class Listener:
    """Keeps what it is asked to read; a sentence's score is its length."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[Excerpt, ...]]] = []

    def read(self, question: str, excerpts: Sequence[Excerpt]) -> list[Scores]:
        self.asked.append((question, tuple(excerpts)))
        return [np.array([len(one) for one in excerpt.sentences], np.float32) for excerpt in excerpts]


def candidates(api: Api, reader: Listener, asked: str, previous: str = "") -> list[Candidate]:
    given = DocumentInput.model_validate({"title": "Animals", "text": TEXT})
    api.index(raw_document(document_id_of_client("animals"), given, OWNER))
    return Answerer(api.features, api.embedder, reader).candidates(asked, previous, SearchFilters())


def test_a_sentence_is_read_under_its_own_heading_with_those_beside_it(api: Api) -> None:
    reader = Listener()

    candidates(api, reader, "When does a dog bark?")

    ((asked, excerpts),) = reader.asked
    assert asked == "When does a dog bark?"
    assert Excerpt("Dogs", ("A dog barks.", "It does so at night.")) in excerpts
    assert Excerpt("Animals", ("Cats purr with the larynx.",)) in excerpts


def test_every_candidate_has_the_score_of_its_own_sentence(api: Api) -> None:
    found = candidates(api, Listener(), "When does a dog bark?")

    assert {one.line.plain for one in found} >= {"A dog barks.", "It does so at night.", "A bird sings."}
    assert all(one.evidence.read == len(one.line.plain) for one in found)


def test_a_question_that_points_back_is_read_with_the_turn_before(api: Api) -> None:
    reader = Listener()

    candidates(api, reader, "And when does it bark?", "Do you know a dog?")

    assert reader.asked[0][0] == "And when does it bark? Do you know a dog?"
