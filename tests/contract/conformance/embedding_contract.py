"""What every embedder and its tokenizer do."""

import threading
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from twin_platform.embedding.errors import EmbeddingInterrupted
from twin_platform.embedding.port import Embedder, Tokenizer

TEXTS = [
    "Quantum computers factor large numbers with Shor's algorithm.",
    "A sourdough starter needs flour, water and patience.",
    "",
    "x" * 5000,
    "Die Straße nach Zürich – ein naïver Überblick über 東京 und 👩‍👩‍👧.",
    "def add(left, right):\n    return left + right\n",
    "word " * 2000,
]


class EmbedderContract:
    """What every embedder does. Bound to an adapter by an `embedder` fixture."""

    def test_every_text_gets_a_vector_of_unit_length_in_the_specs_dimension(self, embedder: Embedder) -> None:
        vectors = embedder.embed_documents(TEXTS)

        assert vectors.shape == (len(TEXTS), embedder.spec.dimension)
        assert vectors.dtype == np.float32
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)

    def test_vectors_come_in_the_order_of_the_texts_whatever_their_lengths(self, embedder: Embedder) -> None:
        together = embedder.embed_documents(TEXTS)
        alone = np.concatenate([embedder.embed_documents([text]) for text in TEXTS])

        assert together == pytest.approx(alone, abs=1e-5)

    def test_no_text_gives_no_vector(self, embedder: Embedder) -> None:
        assert embedder.embed_documents([]).shape == (0, embedder.spec.dimension)

    def test_the_same_text_always_has_the_same_vector(self, embedder: Embedder) -> None:
        first, second = embedder.embed_documents([TEXTS[0]]), embedder.embed_documents([TEXTS[0]])

        assert np.array_equal(first, second)

    def test_tokens_beyond_the_limit_are_ignored(self, embedder: Embedder) -> None:
        limit = "word " * embedder.spec.max_tokens

        vectors = embedder.embed_documents([limit, limit + "and then something else entirely"])

        assert vectors[0] == pytest.approx(vectors[1], abs=1e-5)

    def test_each_token_has_a_state_of_unit_length_and_its_place_in_the_text(self, embedder: Embedder) -> None:
        read = embedder.embed_tokens(TEXTS)

        assert len(read) == len(TEXTS)
        for text, one in zip(TEXTS, read, strict=True):
            assert one.states.shape == (len(one.spans), embedder.spec.dimension)
            assert np.linalg.norm(one.states, axis=1) == pytest.approx(np.ones(len(one.spans)), abs=1e-5)
            assert list(one.spans) == embedder.tokenizer.spans(text)[: len(one.spans)]
            assert len(one.spans) <= embedder.spec.max_tokens

    def test_a_word_is_more_like_itself_in_another_sentence_than_like_other_words(self, embedder: Embedder) -> None:
        asked, said = embedder.embed_tokens(["Who needs patience?", "A starter needs flour, water and patience."])
        words = ["A starter needs flour, water and patience."[start:end] for start, end in said.spans]
        patience = [asked.spans.index(span) for span in asked.spans if span == (10, 18)]

        likeness = asked.states[patience[0]] @ said.states.T

        assert words[int(likeness.argmax())] == "patience"

    def test_no_text_gives_no_token_states(self, embedder: Embedder) -> None:
        assert embedder.embed_tokens([]) == []

    def test_a_query_is_closest_to_the_document_that_it_shares_words_with(self, embedder: Embedder) -> None:
        documents = embedder.embed_documents(TEXTS[:2])

        query = embedder.embed_query("what a sourdough starter needs")

        assert query.shape == (embedder.spec.dimension,)
        assert documents[1] @ query > documents[0] @ query + 0.1

    def test_a_stop_between_sub_batches_interrupts(self, embedder: Embedder) -> None:
        asked = 0

        def from_the_third_time_on() -> bool:
            nonlocal asked
            asked += 1
            return asked >= 3

        with pytest.raises(EmbeddingInterrupted):
            embedder.embed_documents(["word " * 200] * 100, from_the_third_time_on)

    def test_documents_and_queries_of_many_threads_do_not_disturb_each_other(self, embedder: Embedder) -> None:
        expected = embedder.embed_documents(TEXTS[:3])
        query = embedder.embed_query(TEXTS[0])
        right: list[bool] = []

        def documents() -> None:
            right.append(bool(np.allclose(embedder.embed_documents(TEXTS[:3]), expected, atol=1e-5)))

        def queries() -> None:
            right.append(bool(np.allclose(embedder.embed_query(TEXTS[0]), query, atol=1e-5)))

        threads = [threading.Thread(target=target) for target in (documents, queries) * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert right == [True] * len(threads)

    def test_the_tokenizers_repr_says_which_one_it_is_and_not_where_it_lies(self, embedder: Embedder) -> None:
        shown = repr(embedder.tokenizer)

        assert type(embedder.tokenizer).__name__ in shown
        assert " at 0x" not in shown
        assert "/" not in shown


class TokenizerContract:
    """What every tokenizer does. Bound to an adapter by a `tokenizer` fixture."""

    def test_spans_name_the_tokens_in_code_points(self, tokenizer: Tokenizer) -> None:
        text = "Grüße, 東京!"

        pieces = [text[start:end] for start, end in tokenizer.spans(text)]

        assert pieces[-1] == "!"
        assert "".join(pieces) == text.replace(" ", "")

    def test_white_space_has_no_tokens(self, tokenizer: Tokenizer) -> None:
        assert tokenizer.spans(" \n\t ") == []
        assert tokenizer.spans("") == []

    def test_a_text_of_a_megabyte_is_not_truncated(self, tokenizer: Tokenizer) -> None:
        text = "one two three " * 70_000

        spans = tokenizer.spans(text)

        assert len(spans) == 210_000
        assert spans[-1] == (len(text) - 6, len(text) - 1)

    @pytest.mark.parametrize("letter", ["a", "東"])
    def test_a_megabyte_without_a_space_is_covered(self, tokenizer: Tokenizer, letter: str) -> None:
        text = letter * 1_000_000

        spans = tokenizer.spans(text)

        assert (spans[0][0], spans[-1][1]) == (0, len(text))
        assert all(left[1] == right[0] for left, right in pairwise(spans))

    # The tokenizer keeps nothing between examples, and the class is bound more than once.
    @settings(
        max_examples=50,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(text=st.text(max_size=300))
    @example(text="팜")
    def test_spans_are_ordered_lie_inside_the_text_and_are_as_many_as_counted(
        self, tokenizer: Tokenizer, text: str
    ) -> None:
        spans = tokenizer.spans(text)

        assert all(0 <= start < end <= len(text) for start, end in spans)
        assert all(left[1] <= right[0] or left == right for left, right in pairwise(spans))
        assert tokenizer.counts([text, "", text]) == [len(spans), 0, len(spans)]
