"""Programming languages: which one a file's name stands for, and what is known of where its source may be cut."""

import re
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import PurePosixPath

from tree_sitter import Language

from twin_feature_stream.handlers.cut import Level
from twin_feature_stream.handlers.levels import SOURCE

_GRAMMARS = {
    "c": ("tree_sitter_c", "language"),
    "cpp": ("tree_sitter_cpp", "language"),
    "go": ("tree_sitter_go", "language"),
    "java": ("tree_sitter_java", "language"),
    "javascript": ("tree_sitter_javascript", "language"),
    "python": ("tree_sitter_python", "language"),
    "rust": ("tree_sitter_rust", "language"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
}
_ENDINGS = {
    ".cc": "cpp", ".cjs": "javascript", ".cs": "csharp", ".cxx": "cpp", ".ex": "elixir", ".exs": "elixir", ".h": "cpp",
    ".hh": "cpp", ".hpp": "cpp", ".hs": "haskell", ".js": "javascript", ".jsx": "javascript", ".kt": "kotlin",
    ".md": "markdown", ".mjs": "javascript", ".ps1": "powershell", ".py": "python", ".pyi": "python", ".rb": "ruby",
    ".rs": "rust", ".ts": "typescript",
}  # fmt: skip
"""Endings that are not their language's name."""


def language_of(path: str, told: str | None) -> str:
    """Return a language's name in lower case: by the file's ending where that has a grammar, else as `told`."""
    ending = PurePosixPath(path).suffix.lower()
    name = _ENDINGS.get(ending, ending.removeprefix("."))
    return name if name in _GRAMMARS else (told or name).lower()


@cache
def grammar_of(language: str) -> Language | None:
    """Return the grammar for `language`, None where none is installed. Read at its first use."""
    if language not in _GRAMMARS:
        return None
    module, function = _GRAMMARS[language]
    return Language(getattr(import_module(module), function)())


@cache
def levels_of(language: str) -> Sequence[Level]:
    """Return where source without a syntax tree may be cut: at words that `langchain-text-splitters` knows, at lines.

    Imported here because it costs 0.7 s and 40 MB, and few files need it.
    """
    from langchain_text_splitters import Language as Known  # noqa: PLC0415
    from langchain_text_splitters import RecursiveCharacterTextSplitter  # noqa: PLC0415

    if language not in {known.value for known in Known} - {"perl"}:  # perl is named there and not implemented
        return SOURCE
    separators = RecursiveCharacterTextSplitter.get_separators_for_language(Known(language))
    words = [each.removeprefix("\n") for each in separators if each.startswith("\n") and each.strip()]
    return (re.compile("\n(?=" + "|".join(words) + ")"), *SOURCE) if words else SOURCE
