"""Source code is cut along its syntax tree."""

import gc
import tracemalloc

import pytest

from fakes.corpus import corpus_document
from twin_feature_stream.handlers.chunk_code import ChunkSyntaxTree
from twin_feature_stream.ports import Chunk
from twin_platform.embedding.hashing import WordTokenizer
from unit.feature_stream.chunking import assert_whole, assert_within, clean_document, embedded

FILLER = {"python": "        value = compute(value, 1, 2, 3)\n", "braces": "    value = compute(value, 1, 2, 3);\n"}


def chunks(text: str, path: str, max_tokens: int = 120, language: str | None = None) -> list[Chunk]:
    found = list(ChunkSyntaxTree(WordTokenizer(), max_tokens)(clean_document(text, path, language)))
    assert_whole(found, text)
    assert_within(found, WordTokenizer(), max_tokens)
    return found


def paths(found: list[Chunk]) -> set[tuple[str, ...]]:
    return {chunk.heading_path for chunk in found}


def test_a_method_that_is_cut_keeps_its_class_and_name_in_every_piece() -> None:
    source = (
        "class Harbour:\n    def level(self):\n" + FILLER["python"] * 20 + "\n    def name(self):\n        return 1\n"
    )

    found = chunks(source, "tides.py")

    assert paths(found) == {("tides.py", "Harbour"), ("tides.py", "Harbour", "level"), ("tides.py", "Harbour", "name")}


@pytest.mark.parametrize(
    ("path", "source", "names"),
    [
        ("a.js", "class A {\n  m() {\n" + FILLER["braces"] * 20 + "  }\n}\n", ("A", "m")),
        ("a.ts", "export class A {\n  m(): number {\n" + FILLER["braces"] * 20 + "  }\n}\n", ("A", "m")),
        ("a.tsx", "export function A() {\n" + FILLER["braces"] * 20 + "}\n", ("A",)),
        ("a.go", "package a\n\nfunc (b *B) Mean() {\n" + FILLER["braces"].replace(";", "") * 20 + "}\n", ("Mean",)),
        ("a.rs", "impl Ring {\n    fn mean(&self) {\n" + FILLER["braces"] * 20 + "    }\n}\n", ("Ring", "mean")),
        ("A.java", "class A {\n  void m() {\n" + FILLER["braces"] * 20 + "  }\n}\n", ("A", "m")),
        ("a.c", "int m(int a)\n{\n" + FILLER["braces"] * 20 + "}\n", ("m",)),
        ("a.cpp", "namespace n {\nclass A {\n  int m() {\n" + FILLER["braces"] * 20 + "  }\n};\n}\n", ("n", "A", "m")),
        ("a.py", "@decorated\ndef m():\n" + FILLER["python"] * 20, ("m",)),
    ],
)
def test_each_grammar_names_what_a_piece_is_part_of(path: str, source: str, names: tuple[str, ...]) -> None:
    assert (path, *names) in paths(chunks(source, path))


def test_one_line_functions_share_chunks() -> None:
    source = "".join(f"def f{number}(): return {number}\n" for number in range(30))

    assert len(chunks(source, "small.py", max_tokens=220)) <= 3


def test_a_small_file_is_one_chunk_under_its_path() -> None:
    source = "import math\n\n\ndef area(radius):\n    return math.pi * radius**2\n"

    assert chunks(source, "shapes.py") == [Chunk(source, ("shapes.py",))]


def test_a_comment_stays_with_the_function_below_it() -> None:
    functions = [f"// Number {n} does its work.\nfunction f{n}() {{\n{FILLER['braces'] * 6}}}\n" for n in range(8)]

    assert [chunk.text for chunk in chunks("".join(functions), "work.js")] == functions


def test_an_edit_in_one_function_embeds_that_function_only() -> None:
    functions = [f"def f{number}():\n{FILLER['python'] * 12}\n\n" for number in range(40)]
    source = "".join(functions)

    edited = source.replace("def f20():\n", "def f20():\n    first = 0\n")

    assert len(embedded(chunks(edited, "many.py")) - embedded(chunks(source, "many.py"))) <= 2


def test_letters_beyond_ascii_shift_no_cut() -> None:
    source = "# Größe, 日本, 🚲\n" + "".join(f'def f{n}():\n    return "{"ä🚲" * 30}"\n\n\n' for n in range(20))

    assert all(chunk.text.lstrip("#").startswith(("def f", " Gr")) for chunk in chunks(source, "größe.py"))


def test_the_corpus_is_cut_where_a_definition_or_a_statement_begins() -> None:
    starts = [chunk.text.split(maxsplit=1)[0] for chunk in chunks(corpus_document("ring_buffer.go").text, "ring.go")]

    assert set(starts) <= {"//", "import", "type", "var", "func"}


def test_a_language_without_a_grammar_is_cut_before_its_definitions() -> None:
    body = "  value = compute(1)\n" * 5
    source = "".join(f"def method_{number}\n{body}end\n" for number in range(20))

    assert all(chunk.text.startswith("def method_") for chunk in chunks(source, "work.rb"))


@pytest.mark.parametrize("path", ["Dockerfile", "schema.sql", "x.perl", ""])
def test_an_unknown_language_is_cut_at_lines(path: str) -> None:
    source = "ONE two three four\n" * 200

    assert all(chunk.text.endswith("\n") for chunk in chunks(source, path))


def test_the_language_is_taken_from_the_document_where_the_name_says_nothing() -> None:
    source = "class A:\n    def m(self):\n" + FILLER["python"] * 20

    assert ("tool", "A", "m") in paths(chunks(source, "tool", language="Python"))


def test_a_minified_file_is_cut_within_its_one_line() -> None:
    source = "var a=b;function f(){return 1};" * 1000

    assert len(chunks(source, "app.min.js", max_tokens=220)) > 50


def test_a_file_that_no_parser_can_finish_is_cut_all_the_same() -> None:
    source = "{[(<" * 20_000

    assert "".join(chunk.text for chunk in chunks(source, "broken.cpp", max_tokens=220)) == source


def test_nesting_without_end_is_no_recursion_without_end() -> None:
    source = "{\n" * 5000 + "}\n" * 5000

    assert "".join(chunk.text for chunk in chunks(source, "deep.js", max_tokens=220)) == source


def test_a_file_that_was_parsed_is_forgotten() -> None:
    source = "".join(f"def step_{number}():\n    return {number}\n\n\n" for number in range(400))
    chunks(source, "first.py")
    tracemalloc.start()
    try:
        for number in range(8):
            chunks(source + f"# {number}\n", "again.py")
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept < len(source)
