"""How the reader lays out what it reads, what its figures mean, and how its weights come about."""

import json
import shutil
import threading
from collections.abc import Mapping
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # it has no types
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fakes.tiny_model import CONFIG, HIDDEN, WIDE, tiny_weights, write_tiny_model, write_tokenizer
from twin_contracts.embedding import MINILM, EmbeddingModel
from twin_platform.embedding.convert import BertConfig, save_bert, tensors_of
from twin_platform.embedding.errors import SourceFailed, WeightsInvalid
from twin_platform.embedding.onnx import open_session
from twin_platform.embedding.open import EmbeddingSettings
from twin_platform.embedding.tokenizer import load_tokenizer
from twin_platform.reading import adapt, onnx
from twin_platform.reading import open as opening
from twin_platform.reading.adapt import AdaptedWeights
from twin_platform.reading.onnx import OUTPUT, UNREAD, OnnxReader, Windows
from twin_platform.reading.open import open_reader
from twin_platform.reading.port import Excerpt
from twin_platform.reading.words import WordReader

Arrays = dict[str, NDArray[np.float32]]

TINY = BertConfig.model_validate(CONFIG)
START, END, A, FOX, RUNS = 2, 3, 7, 8, 9
"""Numbers of the tiny model's tokens; both separators are the same one."""
MATRIX, WIDE_MATRIX = "encoder.layer.0.attention.self.query.weight", "encoder.layer.1.intermediate.dense.weight"
VECTOR = "encoder.layer.1.output.LayerNorm.bias"


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Windows:
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder)
    return Windows(load_tokenizer(folder / "tokenizer.json"))


def read_together(windows: Windows, lengths: list[int]) -> list[range]:
    """Return which sentences stand in each window over an excerpt whose sentences have these lengths."""
    found = windows.of("fox", Excerpt("", tuple("a " * length for length in lengths)))
    return [range(first, first + len(window.spans)) for first, window in found]


def test_a_window_is_question_heading_and_sentences_each_closed_by_a_separator(windows: Windows) -> None:
    ((first, window),) = windows.of("a fox", Excerpt("fox", ("fox runs", "a")))

    assert first == 0
    assert window.tokens.tolist() == [START, A, FOX, END, FOX, END, FOX, RUNS, A, END]
    assert window.types.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    assert window.spans == ((6, 8), (8, 9))


def test_a_window_without_a_heading_has_no_separator_for_it(windows: Windows) -> None:
    ((_, window),) = windows.of("a fox", Excerpt("", ("fox runs",)))

    assert window.tokens.tolist() == [START, A, FOX, END, FOX, RUNS, END]


@pytest.mark.parametrize(("fox", "runs", "a"), [(48, 16, 90), (49, 17, 91), (900, 900, 900)])
def test_question_heading_and_sentence_are_each_cut_at_their_limit(
    windows: Windows, fox: int, runs: int, a: int
) -> None:
    ((_, window),) = windows.of("fox " * fox, Excerpt("runs " * runs, ("a " * a,)))

    counts = [int((window.tokens == token).sum()) for token in (FOX, RUNS, A)]
    assert counts == [48, 16, 90]
    assert window.spans == ((67, 157),)


def test_a_long_excerpt_is_read_in_windows_that_share_a_sentence(windows: Windows) -> None:
    assert read_together(windows, [50] * 6) == [range(3), range(2, 5), range(4, 6)]


def test_sentences_that_do_not_fit_together_are_each_read_once(windows: Windows) -> None:
    assert read_together(windows, [90] * 3) == [range(1), range(1, 2), range(2, 3)]
    assert read_together(windows, [10, 90, 90]) == [range(2), range(2, 3)]


def test_an_excerpt_without_sentences_is_not_read(windows: Windows) -> None:
    assert list(windows.of("a fox", Excerpt("fox", ()))) == []


def test_an_empty_sentence_keeps_its_place_and_has_no_token(windows: Windows) -> None:
    ((_, window),) = windows.of("", Excerpt("", ("a", "", "runs")))

    assert window.tokens.tolist() == [START, END, A, RUNS, END]
    assert window.spans == ((2, 3), (3, 3), (3, 4))


@given(st.lists(st.one_of(st.integers(0, 30), st.integers(0, 120)), max_size=60))
def test_every_sentence_is_read_and_no_window_lies_in_another(windows: Windows, lengths: list[int]) -> None:
    found = read_together(windows, lengths)

    assert {at for one in found for at in one} == set(range(len(lengths)))
    for one in found:
        assert sum(min(lengths[at], 90) for at in one) <= 160
    for before, after in pairwise(found):
        assert before.start < after.start
        assert before.stop < after.stop
        assert before.stop - after.start in (0, 1)


def write_reader(folder: Path, head: Arrays) -> Path:
    """Make the folder of a tiny reader that can read windows of any length."""
    folder.mkdir()
    random = np.random.default_rng(5)
    positions = {"embeddings.position_embeddings.weight": random.normal(size=(512, HIDDEN)).astype(np.float32)}
    save_bert(tiny_weights() | positions, TINY, folder / "states.onnx")
    save_bert(tiny_weights() | positions | head, TINY, folder / "model.onnx", ("head", OUTPUT))
    write_tokenizer(folder)
    return folder


def head_of(seed: int) -> Arrays:
    random = np.random.default_rng(seed)
    shapes = {"head.weight": (3, HIDDEN), "head.bias": (3,)}
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def test_a_score_is_its_best_words_figure_its_words_mean_one_and_that_of_the_text(tmp_path: Path) -> None:
    head = head_of(1)
    folder = write_reader(tmp_path / "reader", head)
    ids = np.array([[START, FOX, END, A, FOX, RUNS, A, END]])  # fox? a fox runs. a.
    types = np.array([[0, 0, 0, 1, 1, 1, 1, 1]])
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": types}
    ((states,),) = onnxruntime.InferenceSession(str(folder / "states.onnx")).run(None, inputs)
    word, sentence, text = (states @ head["head.weight"].T + head["head.bias"]).T
    expected = [word[3:6].max() + sentence[3:6].mean() + text[0], word[6] + sentence[6] + text[0]]

    (scores,) = OnnxReader(folder).read("fox", [Excerpt("", ("a fox runs", "a"))])

    assert scores == pytest.approx(np.array(expected), abs=1e-4)


def test_a_sentence_without_words_scores_less_than_any_other(tmp_path: Path) -> None:
    reader = OnnxReader(write_reader(tmp_path / "reader", head_of(1)))

    empty, alone = reader.read("fox", [Excerpt("a", ("a fox", "", "runs")), Excerpt("", ("",))])

    assert empty[1] == alone[0] < min(empty[0], empty[2])


@pytest.mark.parametrize(("seed", "better"), [(2, 1), (3, 0)], ids=["the later one", "the earlier one"])
def test_a_sentence_that_two_windows_share_has_its_better_score(tmp_path: Path, seed: int, better: int) -> None:
    reader = OnnxReader(write_reader(tmp_path / "reader", head_of(seed)))
    texts = tuple(f"{word} " * 50 for word in ("a", "fox", "runs", "passage", "a fox"))
    earlier, later = reader.read("fox", [Excerpt("", texts[:3]), Excerpt("", texts[2:])])
    assert np.argmax([earlier[2], later[0]]) == better
    assert abs(earlier[2] - later[0]) > 0.01  # else this shows nothing

    (scores,) = reader.read("fox", [Excerpt("", texts)])

    assert scores == pytest.approx(
        np.array([*earlier[:2], max(earlier[2], later[0]), *later[1:]], np.float32), abs=1e-4
    )


def test_a_longer_neighbour_changes_no_score(tmp_path: Path) -> None:
    reader = OnnxReader(write_reader(tmp_path / "reader", head_of(2)))
    short, long = Excerpt("", ("a fox runs",)), Excerpt("", ("a fox runs a fox",))

    together = reader.read("fox", [short, long])

    assert together[0] == pytest.approx(reader.read("fox", [short])[0], abs=1e-4)


def test_the_model_is_not_looked_at_before_there_is_something_to_read(tmp_path: Path) -> None:
    folder = write_reader(tmp_path / "reader", head_of(1))
    (folder / "model.onnx").write_text("nonsense")
    reader = OnnxReader(folder)

    assert reader.read("fox", []) == []
    with pytest.raises(WeightsInvalid, match=r"model\.onnx"):
        reader.read("fox", [Excerpt("", ("a fox",))])


def test_a_model_without_a_head_is_refused(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path)

    with pytest.raises(WeightsInvalid, match="not 'token_scores'"):
        OnnxReader(folder).read("fox", [Excerpt("", ("a fox",))])


def test_many_threads_load_the_model_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    all_asked, opened, answered = threading.Barrier(9), [], []

    def open_once(folder: Path, output: str) -> onnxruntime.InferenceSession:
        opened.append(folder)
        return open_session(folder, output)

    monkeypatch.setattr(onnx, "open_session", open_once)
    reader = OnnxReader(write_reader(tmp_path / "reader", head_of(1)), threads=2)

    def ask() -> None:
        all_asked.wait(10)
        answered.extend(reader.read("fox", [Excerpt("", ("a fox",)), Excerpt("", ("fox runs a " * 20,))]))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    all_asked.wait(10)
    for thread in threads:
        thread.join()

    assert len(opened) == 1
    assert len(answered) == 16


def changes_of(seed: int) -> dict[str, NDArray[np.float16]]:
    random = np.random.default_rng(seed)
    shapes = {
        f"{MATRIX}.up": (HIDDEN, 2),
        f"{MATRIX}.down": (2, HIDDEN),
        f"{WIDE_MATRIX}.up": (WIDE, 3),
        f"{WIDE_MATRIX}.down": (3, HIDDEN),
        VECTOR: (HIDDEN,),
        "head.weight": (3, HIDDEN),
        "head.bias": (3,),
    }
    return {name: random.normal(size=shape).astype(np.float16) for name, shape in shapes.items()}


def write_changes(file: Path, changes: Mapping[str, NDArray[np.float16]]) -> None:
    np.savez_compressed(file, allow_pickle=False, **changes)


@pytest.fixture
def changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a tiny model's changes, where the reader looks for MiniLM's."""
    file = tmp_path / "changes.npz"
    for module in (adapt, opening):
        monkeypatch.setattr(module, "CHANGES", file)
    monkeypatch.setattr(adapt, "_MINILM", TINY)
    write_changes(file, changes_of(seed=1))
    return file


def write_minilm(folder: Path) -> Path:
    """Make the folder of a tiny model that its manifest calls MiniLM, as the cache would hold it."""
    folder.mkdir(parents=True)
    write_tiny_model(folder)
    files = {name: sha256((folder / name).read_bytes()).hexdigest() for name in ("model.onnx", "tokenizer.json")}
    manifest = {"spec": MINILM.model_dump(), "source": "a test", "files": files}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def minilm(tmp_path: Path) -> Path:
    return write_minilm(tmp_path / "minilm")


def adapted(minilm: Path) -> Arrays:
    """Return the weights of the reader that this MiniLM becomes."""
    target = minilm.with_name("adapted")
    target.mkdir()
    AdaptedWeights(minilm).fetch(MINILM, target, print)
    assert {file.name for file in target.iterdir()} == {"model.onnx", "tokenizer.json"}
    return tensors_of(target / "model.onnx")


@pytest.mark.parametrize("name", [MATRIX, WIDE_MATRIX])
def test_the_product_of_two_thin_matrices_is_added_to_a_matrix(minilm: Path, changes: Path, name: str) -> None:
    up, down = (changes_of(1)[f"{name}.{part}"].astype(np.float32) for part in ("up", "down"))

    weights = adapted(minilm)

    assert weights[name] == pytest.approx(tiny_weights()[name] + up @ down, abs=1e-5)


def test_a_vector_is_added_to_the_vector_of_its_name_and_the_head_stands_alone(minilm: Path, changes: Path) -> None:
    weights = adapted(minilm)

    assert weights[VECTOR] == pytest.approx(tiny_weights()[VECTOR] + changes_of(1)[VECTOR], abs=1e-5)
    for name in ("head.weight", "head.bias"):
        np.testing.assert_array_equal(weights[name], changes_of(1)[name])


def test_what_the_changes_do_not_name_stays_as_it_was(minilm: Path, changes: Path) -> None:
    weights = adapted(minilm)

    for name in tiny_weights().keys() - {MATRIX, WIDE_MATRIX, VECTOR}:
        np.testing.assert_array_equal(weights[name], tiny_weights()[name], err_msg=name)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({VECTOR: (9,)}, rf"'{VECTOR}' has the shape \(9,\), the model's \(8,\)"),
        ({f"{MATRIX}.up": (9, 2)}, rf"'{MATRIX}' has the shape \(9, 8\), the model's \(8, 8\)"),
        ({"encoder.layer.7.output.dense.bias": (8,)}, r"changes 'encoder\.layer\.7\.output\.dense\.bias', which"),
        (
            {"encoder.layer.7.output.dense.weight.up": (8, 2), "encoder.layer.7.output.dense.weight.down": (2, 16)},
            r"changes 'encoder\.layer\.7\.output\.dense\.weight', which the model does not have",
        ),
    ],
)
def test_changes_of_another_model_are_refused_and_the_weight_is_named(
    minilm: Path, changes: Path, wrong: dict[str, tuple[int, ...]], reason: str
) -> None:
    write_changes(changes, changes_of(1) | {name: np.ones(shape, np.float16) for name, shape in wrong.items()})

    with pytest.raises(SourceFailed, match=reason):
        AdaptedWeights(minilm).fetch(MINILM, minilm, print)


def readers_in(cache: Path) -> set[str]:
    return {one.name for one in cache.glob("minilm-l6-v2-reader-*")}


def test_the_reader_is_built_of_the_configured_minilm_and_reads(minilm: Path, changes: Path, tmp_path: Path) -> None:
    said: list[str] = []

    reader = open_reader(EmbeddingSettings(path=minilm, cache=tmp_path / "cache"), said.append)

    (scores,) = reader.read("a fox", [Excerpt("passage", ("a fox runs", "a"))])
    assert scores.shape == (2,)
    assert np.isfinite(scores).all()
    (folder,) = readers_in(tmp_path / "cache")
    assert said[-1] == f"reading model: from the cache {tmp_path / 'cache' / folder}, checksums match"
    assert "reading model: building its graph" in said


def test_a_reader_in_the_cache_is_not_built_again(minilm: Path, changes: Path, tmp_path: Path) -> None:
    settings, said = EmbeddingSettings(path=minilm, cache=tmp_path / "cache"), list[str]()
    open_reader(settings, print)
    shutil.rmtree(minilm)

    open_reader(settings, said.append)

    (folder,) = readers_in(tmp_path / "cache")
    assert said == [f"reading model: from the cache {tmp_path / 'cache' / folder}, checksums match"]


def test_other_changes_are_another_reader_and_leave_the_first_one_alone(
    minilm: Path, changes: Path, tmp_path: Path
) -> None:
    settings = EmbeddingSettings(path=minilm, cache=tmp_path / "cache")
    open_reader(settings, print)
    (first,) = readers_in(tmp_path / "cache")
    write_changes(changes, changes_of(seed=2))

    open_reader(settings, print)

    (second,) = readers_in(tmp_path / "cache") - {first}
    for folder, seed in ((first, 1), (second, 2)):
        weights = tensors_of(tmp_path / "cache" / folder / "model.onnx")
        np.testing.assert_array_equal(weights["head.bias"], changes_of(seed)["head.bias"])


@pytest.mark.parametrize("path", [None, "other"], ids=["none", "another model"])
def test_where_no_minilm_is_configured_the_reader_is_built_of_that_in_the_cache(
    changes: Path, tmp_path: Path, path: str | None
) -> None:
    cache = tmp_path / "cache"
    write_minilm(cache / MINILM.id)
    write_tiny_model(tmp_path / "other", seed=8)

    open_reader(EmbeddingSettings(path=tmp_path / path if path else None, cache=cache), print)

    (folder,) = readers_in(cache)
    unchanged = "encoder.layer.0.output.dense.weight"
    np.testing.assert_array_equal(tensors_of(cache / folder / "model.onnx")[unchanged], tiny_weights()[unchanged])


def test_a_configured_folder_that_lacks_a_file_is_refused(minilm: Path, changes: Path, tmp_path: Path) -> None:
    (minilm / "tokenizer.json").unlink()

    with pytest.raises(WeightsInvalid, match=r"there is no tokenizer\.json"):
        open_reader(EmbeddingSettings(path=minilm, cache=tmp_path / "cache"), print)


def test_without_weights_that_is_told_nothing_is_cached_and_nothing_answers(
    minilm: Path, changes: Path, tmp_path: Path
) -> None:
    write_changes(changes, changes_of(1) | {VECTOR: np.ones(9, np.float16)})
    said: list[str] = []

    reader = open_reader(EmbeddingSettings(path=minilm, cache=tmp_path / "cache"), said.append)

    assert "has the shape (9,)" in said[-2]
    assert "every question is refused, unless a language model answers" in said[-1]
    assert readers_in(tmp_path / "cache") == set()
    assert [scores.tolist() for scores in reader.read("a fox", [Excerpt("", ("fox", "runs"))])] == [[UNREAD, UNREAD]]


def test_with_the_hashing_embedder_words_are_compared_and_nothing_is_kept(tmp_path: Path) -> None:
    def never(line: str) -> None:
        raise AssertionError(line)

    reader = open_reader(EmbeddingSettings(EmbeddingModel.HASHING, cache=tmp_path / "cache"), never)

    assert isinstance(reader, WordReader)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("sentence", "score"),
    [("The FOX runs.", 5.0), ("A fox sleeps.", 0.0), ("Bread is baked.", -5.0), ("", -5.0), ("foxes running", -5.0)],
)
def test_a_word_readers_score_is_the_share_of_the_questions_words(sentence: str, score: float) -> None:
    (scores,) = WordReader().read("Fox, runs?", [Excerpt("", (sentence,))])

    assert scores.tolist() == [score]


def test_to_a_question_without_words_no_sentence_is_an_answer() -> None:
    (scores,) = WordReader().read("?", [Excerpt("", ("The fox runs.", ""))])

    assert (scores < 0).all()
