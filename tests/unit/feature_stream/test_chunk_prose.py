"""Posts and other prose without headings."""

from twin_feature_stream.handlers.chunk_prose import ChunkProse
from twin_platform.embedding.hashing import WordTokenizer
from unit.feature_stream.chunking import clean_document


def pieces(text: str, max_tokens: int) -> list[str]:
    return [chunk.text for chunk in ChunkProse(WordTokenizer(), max_tokens)(clean_document(text))]


def test_a_post_that_fits_is_one_chunk() -> None:
    text = "One paragraph.\n\nAnother one.\n\nA third."

    assert pieces(text, 128) == [text]


def test_a_longer_post_is_cut_between_paragraphs() -> None:
    paragraphs = [f"{word} " * 9 + f"{word}.\n\n" for word in ("north", "east", "south", "west")]

    assert pieces("".join(paragraphs), 12) == paragraphs


def test_a_long_paragraph_is_cut_after_a_sentence() -> None:
    sentences = [f"{word} went out on the ice before it was safe. " for word in ("Ada", "Ben", "Cleo", "Dov")]

    assert pieces("".join(sentences), 15) == sentences


def test_a_decimal_point_and_an_abbreviation_end_no_sentence() -> None:
    text = "It cost 3.50 at the market, e.g. for the small ones, and nobody complained. Then it rained for a week."

    assert pieces(text, 26) == [text[: text.index("Then")], text[text.index("Then") :]]


def test_chinese_sentences_end_without_a_blank() -> None:
    assert pieces("今天下雨。我们明天再去。", 2) == ["今天下雨。", "我们明天再去。"]


def test_a_sentence_beyond_the_limit_is_cut_at_commas() -> None:
    text = "it rained on the first day, it rained on the second day, it rained on the third day"

    assert [piece[-5:] for piece in pieces(text, 8)] == ["day, ", "day, ", "d day"]
