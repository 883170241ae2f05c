"""A word-piece tokenizer like the model's, made of the corpus: accents, CJK and endless words go as they do there."""

from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from fakes.corpus import CORPUS
from twin_platform.embedding.tokenizer import HuggingFaceTokenizer


def make_word_pieces(folder: Path) -> HuggingFaceTokenizer:
    """Train it on the corpus, a matter of 0.1 s, and open it as the embedder opens its own."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))  # noqa: S106 - a word
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    texts = [path.read_text("utf-8") for path in sorted(CORPUS.iterdir())]
    tokenizer.train_from_iterator(
        texts, trainers.WordPieceTrainer(vocab_size=3000, special_tokens=["[UNK]"], show_progress=False)
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return HuggingFaceTokenizer(folder / "tokenizer.json", "word-pieces")
