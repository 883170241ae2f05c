"""What `twin import` makes of files, folders and JSON, however odd they are."""

import json
import os
from pathlib import Path

import pytest

from twin_cli.errors import InputUnreadable
from twin_cli.inputs import Input, read_inputs
from twin_contracts.documents import MAX_DOCUMENT_BYTES, DocumentType, TextFormat, document_id_of
from twin_contracts.http import DocumentInput

ARTICLE = {
    "platform": "blog.example",
    "link": "https://blog.example/posts/1?a=b",
    "author_full_name": "Ada Sample",
    "title": "On bridges",
    "subtitle": None,
    "language": None,
    "content": "# On bridges\n\nThey stand.",
}


def read(*paths: Path, author: str | None = None) -> list[Input]:
    return list(read_inputs(list(paths), author))


def only(*paths: Path, author: str | None = None) -> DocumentInput:
    (item,) = read(*paths, author=author)
    assert item.document is not None, item.refused
    return item.document


def written(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


class TestJson:
    def test_the_crawled_articles_shape_is_read_with_its_nulls(self, tmp_path: Path) -> None:
        document = only(written(tmp_path / "a.json", [ARTICLE]))

        assert document == DocumentInput(
            type=DocumentType.ARTICLE,
            text="# On bridges\n\nThey stand.",
            title="On bridges",
            author="Ada Sample",
            url="https://blog.example/posts/1?a=b",
            platform="blog.example",
        )

    def test_one_document_needs_no_list(self, tmp_path: Path) -> None:
        assert only(written(tmp_path / "a.JSON", ARTICLE)).title == "On bridges"

    def test_a_document_has_the_id_of_its_url_exactly_as_given(self, tmp_path: Path) -> None:
        (item,) = read(written(tmp_path / "a.json", ARTICLE))

        assert item.document_id == document_id_of("https://blog.example/posts/1?a=b")

    def test_a_source_file_has_the_id_of_its_repository_and_path(self, tmp_path: Path) -> None:
        code = {"type": "code", "repository": "example/tool", "path": "src/main.py", "text": "print(1)"}
        (before,) = read(written(tmp_path / "a.json", code))

        (after,) = read(written(tmp_path / "b.json", {**code, "text": "print(2)"}))

        assert before.document_id == after.document_id == document_id_of("example/tool/src/main.py")

    def test_without_a_url_same_title_and_other_text_are_two_documents(self, tmp_path: Path) -> None:
        notes = [{"title": "Weekly notes", "text": text} for text in ("It rained.", "The sun shone.")]

        first, second = read(written(tmp_path / "a.json", notes))

        assert first.document_id != second.document_id

    def test_without_a_url_the_author_that_is_asked_for_changes_no_id(self, tmp_path: Path) -> None:
        path = written(tmp_path / "a.json", {"type": "post", "text": "Hello."})

        assert read(path)[0].document_id == read(path, author="Ada Sample")[0].document_id

    def test_the_author_that_is_asked_for_wins(self, tmp_path: Path) -> None:
        assert only(written(tmp_path / "a.json", ARTICLE), author="Bea Sample").author == "Bea Sample"

    @pytest.mark.parametrize(
        ("item", "why"),
        [
            ("text", 'it is no JSON object; expected a JSON object with "text" in it'),
            (None, "it is no JSON object"),
            ({"title": "no text"}, "text: Field required"),
            ({"text": "x", "titel": "typo"}, "titel: Extra inputs are not permitted"),
            ({"text": 7}, "text: Input should be a valid string"),
            ({"text": "a\x00b"}, "text: it holds a NUL character, which no store can carry: it is no text, or"),
            ({"text": "ab\ud800c"}, r"text: it holds '\ud800' at character 2, which is half of a character; remove it"),
            ({"text": "x", "type": "poem"}, "type: Input should be 'post', 'article' or 'code'"),
        ],
    )
    def test_an_item_that_is_no_document_is_refused_and_the_others_go_on(
        self, tmp_path: Path, item: object, why: str
    ) -> None:
        bad, good = read(written(tmp_path / "a.json", [item, ARTICLE]))

        assert bad.name == "a.json #1"
        assert why in (bad.refused or "")
        assert good.document is not None

    def test_a_lone_surrogate_is_refused(self, tmp_path: Path) -> None:
        (item,) = read(written(tmp_path / "a.json", '{"text": "\\ud800"}'))

        assert (item.refused or "").startswith("text:")

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            ("{", "Expecting property name"),
            ("", "Expecting value"),
            ("[" * 200_000, "nested too deeply"),
            ('{"text": 1' + "0" * 10_000 + "}", "endless number"),
            (b'"na\xefve"', "decode"),
        ],
    )
    def test_a_file_that_is_no_json_is_one_clear_sentence(self, tmp_path: Path, content: str | bytes, why: str) -> None:
        with pytest.raises(InputUnreadable, match=f"(?s)a.json' cannot be imported: .*{why}.*expected a JSON object"):
            read(written(tmp_path / "a.json", content))

    def test_a_byte_order_mark_is_no_mistake(self, tmp_path: Path) -> None:
        content = b"\xef\xbb\xbf" + json.dumps(ARTICLE).encode()

        assert only(written(tmp_path / "a.json", content)).title == "On bridges"


class TestFiles:
    def test_a_folder_is_read_in_order_with_what_is_below_it(self, tmp_path: Path) -> None:
        for name in ("b.md", "a/c.html", "a/b.TXT", "z.htm", "y.markdown", "picture.png", "data.json"):
            written(tmp_path / name, "<p>Text</p>")

        items = read(tmp_path)

        assert [item.name for item in items] == ["b.md", "y.markdown", "z.htm", "a/b.TXT", "a/c.html"]
        formats = [item.document.format for item in items if item.document]
        assert formats == [
            TextFormat.MARKDOWN,
            TextFormat.MARKDOWN,
            TextFormat.HTML,
            TextFormat.PLAIN,
            TextFormat.HTML,
        ]

    def test_hidden_files_and_symbolic_links_are_left_out(self, tmp_path: Path) -> None:
        elsewhere = written(tmp_path / "elsewhere" / "secret.md", "secret")
        folder = written(tmp_path / "notes" / "seen.md", "seen").parent
        written(folder / ".hidden.md", "hidden")
        written(folder / ".git" / "description.md", "hidden")
        (folder / "link.md").symlink_to(elsewhere)
        (folder / "linked").symlink_to(elsewhere.parent)

        assert [item.name for item in read(folder)] == ["seen.md"]

    def test_a_pipe_among_the_files_is_refused_and_blocks_nothing(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.md")

        (item,) = read(tmp_path)

        assert item.refused == "no regular file"

    def test_a_folder_that_cannot_be_read_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        written(tmp_path / "locked" / "a.md", "text")
        written(tmp_path / "b.md", "text")
        scan = os.scandir

        def scandir(path: str) -> object:
            if str(path).endswith("locked"):
                raise PermissionError(13, "Permission denied", str(path))
            return scan(path)

        monkeypatch.setattr(os, "scandir", scandir)

        read_one, locked = read(tmp_path)

        assert read_one.document is not None
        assert locked == Input(str(tmp_path / "locked"), refused="Permission denied")

    def test_an_edited_file_stays_the_same_document(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = written(tmp_path / "notes" / "a.md", "# Before")
        before = read(path)[0]
        written(path, "# After")
        monkeypatch.chdir(tmp_path / "notes")

        spellings = [Path("a.md"), Path(), Path("../notes"), Path("../notes/a.md")]
        after = [read(spelling)[0] for spelling in spellings]

        assert {item.document_id for item in after} == {before.document_id}
        assert {item.document.title for item in after if item.document} == {"After"}

    def test_a_file_is_cited_by_where_it_lies(self, tmp_path: Path) -> None:
        path = written(tmp_path / "two words.md", "# Notes")

        assert only(path).url == path.as_uri()

    def test_two_files_of_one_text_are_two_documents(self, tmp_path: Path) -> None:
        for name in ("a.md", "b.md"):
            written(tmp_path / name, "the same")

        first, second = read(tmp_path)

        assert first.document_id != second.document_id

    @pytest.mark.parametrize(
        ("name", "text", "title"),
        [
            ("a.md", "\n\n# A title #\n\ntext", "A title"),
            ("a.md", "### Deep **title**\r\ntext", "Deep **title**"),
            ("a.md", '---\nlayout: post\ntitle: "Of front matter"\n---\n\n# Heading', "Of front matter"),
            ("a.md", "---\r\ntitle: It's\r\n---\r\ntext", "It's"),
            ("a.md", "---\nlayout: post\n---\n\n# Heading", "Heading"),
            ("a.md", "---\n\n# no front matter, a rule", "a"),
            ("a.md", "Text first.\n\n# Later", "a"),
            ("a.md", "#hashtag is no heading", "a"),
            ("a.md", "", "a"),
            ("a.md", "#", "a"),
            ("My notes.txt", "# 1 reason", "My notes"),
            ("a.html", "<html><head><title>\n Tea &amp;\n cake </title></head>", "Tea & cake"),
            ("a.html", "<p>x</p><h1 class='x'>A <em>title</em></h1>", "A title"),
            ("a.html", "<p>no title</p>", "a"),
            ("a.md", "# " + "x" * 2000, "x" * 1000),
        ],
    )
    def test_a_file_is_called_by_its_own_title_else_by_its_name(
        self, tmp_path: Path, name: str, text: str, title: str
    ) -> None:
        assert only(written(tmp_path / name, text)).title == title

    def test_a_byte_order_mark_is_no_text(self, tmp_path: Path) -> None:
        assert only(written(tmp_path / "a.txt", b"\xef\xbb\xbftext")).text == "text"

    def test_what_is_not_utf_8_is_refused_with_its_place(self, tmp_path: Path) -> None:
        (item,) = read(written(tmp_path / "a.txt", "naïve".encode("latin-1")))

        assert item.refused == "it is not UTF-8 at byte 2; convert it, for example by: iconv -f latin1 -t utf-8 FILE"

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
    def test_utf_16_that_says_so_is_read(self, tmp_path: Path, encoding: str) -> None:
        content = ("" if encoding == "utf-16" else "\ufeff") + "# Grüße\n\n🙂"

        document = only(written(tmp_path / "a.md", content.encode(encoding)))

        assert (document.text, document.title) == ("# Grüße\n\n🙂", "Grüße")

    def test_utf_16_that_does_not_say_so_is_refused_with_what_to_do(self, tmp_path: Path) -> None:
        (item,) = read(written(tmp_path / "a.txt", "tea".encode("utf-16-le")))

        assert item.refused == (
            "text: it holds a NUL character, which no store can carry: it is no text, or text in another encoding; "
            "convert it, for example by: iconv -f utf-16 -t utf-8 FILE"
        )

    @pytest.mark.parametrize(
        "text", ["🙂", "👩\u200d👩\u200d👧", "\u0301\u0323", "a\r\nb\rc\n", "a\u202eb", "", " \n", "\x07"]
    )
    def test_whatever_is_text_is_sent_as_it_is(self, tmp_path: Path, text: str) -> None:
        assert only(written(tmp_path / "a.txt", text.encode())).text == text

    def test_what_holds_a_nul_is_refused(self, tmp_path: Path) -> None:
        (item,) = read(written(tmp_path / "a.txt", b"a\x00b"))

        assert "NUL character" in (item.refused or "")

    def test_a_file_above_the_limit_is_refused_unread(self, tmp_path: Path) -> None:
        with (tmp_path / "a.txt").open("wb") as file:
            file.truncate(MAX_DOCUMENT_BYTES + 1)

        (item,) = read(tmp_path)

        assert item.refused == "it has 8,388,609 bytes, more than the 8,388,608 of one document; split it"

    def test_a_name_that_is_no_unicode_is_imported_under_one_that_is(self, tmp_path: Path) -> None:
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/na\xefve.txt"))

        (item,) = read(written(path, "text").parent)

        assert item.name == "na\ufffdve.txt"
        assert item.document is not None
        assert item.document.title == "na\ufffdve"

    def test_a_file_takes_the_author_that_is_asked_for(self, tmp_path: Path) -> None:
        path = written(tmp_path / "a.md", "text")

        assert only(path, author="Ada Sample").author == "Ada Sample"
        assert only(path).author is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("missing.md", "No such file or directory"),
        ("missing.json", "No such file or directory"),
        ("there.docx", r"its name ends in none of \.htm, \.html, \.json, \.markdown, \.md, \.txt"),
    ],
)
def test_a_path_that_cannot_be_read_is_one_clear_sentence(tmp_path: Path, name: str, why: str) -> None:
    written(tmp_path / "there.docx", "x")

    with pytest.raises(InputUnreadable, match=f"{name}' cannot be imported: {why}$"):
        read(tmp_path / name)
