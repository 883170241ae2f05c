"""What every reader does."""

import threading

import numpy as np
import pytest

from twin_platform.reading.port import Excerpt, Reader

QUESTION = "How long does a sourdough starter need before it can raise bread?"
ANSWER = "A sourdough starter needs about ten days before it can raise bread."
OTHERS = (
    "Quantum computers factor large numbers with Shor's algorithm.",
    "Keep the jar of your starter away from direct sunlight.",
    "The museum opens at nine on weekdays.",
)
EXCERPT = Excerpt("Baking at home", (OTHERS[0], OTHERS[1], ANSWER, OTHERS[2]))
HOSTILE = (
    Excerpt("", ()),
    Excerpt("", ("",)),
    Excerpt("#" * 5000, ("x" * 50_000, "", "word " * 20_000, "東京 👩‍👩‍👧 \x00 [SEP] [CLS]")),
    Excerpt("", ("a",) * 2000),
)


class ReaderContract:
    """What every reader does. Bound to an adapter by a `reader` fixture."""

    def test_every_sentence_of_every_excerpt_has_a_score(self, reader: Reader) -> None:
        scores = reader.read(QUESTION, [EXCERPT, *HOSTILE])

        assert [one.shape for one in scores] == [(len(one.sentences),) for one in (EXCERPT, *HOSTILE)]
        assert all(one.dtype == np.float32 and np.isfinite(one).all() for one in scores)

    def test_no_excerpt_has_no_scores(self, reader: Reader) -> None:
        assert reader.read(QUESTION, []) == []

    def test_the_sentence_that_answers_has_the_best_score(self, reader: Reader) -> None:
        (scores,) = reader.read(QUESTION, [EXCERPT])

        assert int(scores.argmax()) == 2
        assert scores[2] > 0

    def test_the_sentence_that_answers_is_found_wherever_it_stands_in_a_long_excerpt(self, reader: Reader) -> None:
        filling = [f"{OTHERS[2]} This is note {number} about the museum's visitors." for number in range(60)]
        for place in (0, 13, 37, 60):
            (scores,) = reader.read(QUESTION, [Excerpt("", (*filling[:place], ANSWER, *filling[place:]))])

            assert int(scores.argmax()) == place

    def test_what_does_not_answer_scores_less_than_what_does(self, reader: Reader) -> None:
        answered, unanswered = reader.read(QUESTION, [EXCERPT, Excerpt("Baking at home", OTHERS)])

        assert unanswered.max() < answered.max()

    def test_excerpts_do_not_change_each_others_scores(self, reader: Reader) -> None:
        together = reader.read(QUESTION, [EXCERPT, Excerpt("", OTHERS), *HOSTILE])
        alone = [reader.read(QUESTION, [one])[0] for one in (EXCERPT, Excerpt("", OTHERS), *HOSTILE)]

        for one, other in zip(together, alone, strict=True):
            assert one == pytest.approx(other, abs=1e-3)

    @pytest.mark.parametrize("question", ["", "?" * 10_000, "word " * 5000, "\x00[SEP]"])
    def test_a_question_of_any_length_is_read(self, reader: Reader, question: str) -> None:
        (scores,) = reader.read(question, [EXCERPT])

        assert np.isfinite(scores).all()

    def test_many_threads_read_at_once(self, reader: Reader) -> None:
        (expected,) = reader.read(QUESTION, [EXCERPT])
        right: list[bool] = []

        def read() -> None:
            right.append(bool(np.allclose(reader.read(QUESTION, [EXCERPT])[0], expected, atol=1e-3)))

        threads = [threading.Thread(target=read) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert right == [True] * len(threads)
