"""`twin author`, `twin style` and `twin draft` against the API over stores in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from fakes.api import KEY, OWNER, Api
from fakes.model import ScriptedModel
from twin_cli import draft as draft_command
from twin_cli.__main__ import app
from twin_cli.client import Client
from twin_cli.draft import beside, points_of
from twin_cli.errors import OutlineUnreadable, Refused
from twin_cli.style import card
from twin_contracts.chat import Citation
from twin_contracts.documents import AuthorRef, RawArticle, Source, document_id_of
from twin_contracts.drafts import DraftResult
from twin_contracts.style import Figure, Habit, HabitName, StyleCard
from twin_platform.records.authors import owner_of, set_owner
from twin_platform.records.keys import create_key

ADA, A_L = AuthorRef.of("Ada Lovelace"), AuthorRef.of("A. Lovelace")
TEXT = "We say — as we do — that a queue needs a limit. We mean it. " * 40


class Commands:
    """The command line, speaking to `api` with `key`; a model where a test has put one."""

    def __init__(self) -> None:
        self.api = Api()
        self.key = KEY
        self.model: ScriptedModel | None = None

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, list(words))

    @contextmanager
    def connected(self, *_: object) -> Iterator[Client]:
        served = self.api.client_of(replace(self.api.parts, model=self.model))

        def answer(request: httpx.Request) -> httpx.Response:
            headers = {name: request.headers[name] for name in ("Authorization", "Content-Type")}
            given = served.request(request.method, request.url.path, content=request.content, headers=headers)
            return httpx.Response(given.status_code, headers=dict(given.headers), content=given.content)

        yield Client(lambda: ("http://testserver", self.key), transport=httpx.MockTransport(answer))

    def index(self, name: str, author: AuthorRef = OWNER, text: str = TEXT) -> None:
        source = Source(platform="test", url=f"https://example.org/{name}")
        self.api.index(RawArticle(id=document_id_of(name), author=author, source=source, title=name, text=text))


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    made = Commands()
    for module in ("author", "style", "draft"):
        monkeypatch.setattr(f"twin_cli.{module}.connected", made.connected)
    return made


class TestAuthor:
    def test_set_names_the_owner_and_says_what_stays_the_old_ones(self, commands: Commands) -> None:
        commands.index("a")

        result = commands.run("author", "set", "Ada Lovelace")

        assert result.stdout == "Ada Lovelace (ada-lovelace) owns this installation\n"
        assert result.stderr == (
            "documents that stay with 'Olga Owner': 1; "
            "if that is the same person: twin author merge olga-owner ada-lovelace\n"
        )
        assert owner_of(commands.api.records, otherwise=OWNER) == ADA

    def test_set_again_has_nothing_to_add(self, commands: Commands) -> None:
        commands.index("a", ADA)
        set_owner(commands.api.records, ADA)

        assert commands.run("author", "set", "ada-lovelace").stderr == ""

    def test_list_shows_counts_owner_and_spellings(self, commands: Commands) -> None:
        commands.index("a", ADA)
        commands.index("b", A_L)
        commands.run("author", "merge", "A. Lovelace", "Ada Lovelace")

        assert commands.run("author", "list").stdout == (
            "      2  Ada Lovelace (ada-lovelace; also a-lovelace)\n      0  Olga Owner (olga-owner; owner)\n"
        )

    def test_merge_goes_on_until_nothing_is_left(self, commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("twin_rag_api.authors._STEP", 2)
        for name in "abcde":
            commands.index(name, A_L)

        result = commands.run("author", "merge", "A. Lovelace", "Ada Lovelace")

        assert result.stdout == (
            "documents moved to 'Ada Lovelace': 5; what arrives as 'A. Lovelace' is theirs from now on\n"
        )
        assert [(one.author, one.documents) for one in commands.api.documents.authors()] == [(ADA, 5)]


class TestStyle:
    def test_it_shows_the_owners_card(self, commands: Commands) -> None:
        commands.index("a")
        commands.index("b", ADA, "One two three. " * 200)

        lines = commands.run("style").stdout.splitlines()

        assert lines[0] == "Olga Owner, from 560 words of prose in 1 text"
        assert "sentence length     words: median 11, half of all between 3 and 11" in lines
        assert "dashes              142.9 in 1,000 words" in lines
        assert "  > We say — as we do — that a queue needs a limit." in lines

    def test_it_shows_another_authors(self, commands: Commands) -> None:
        commands.index("b", ADA, "One two three. " * 200)

        assert commands.run("style", "--author", "Ada Lovelace").stdout.startswith("Ada Lovelace, from 600 words")

    def test_too_little_text_is_one_sentence(self, commands: Commands) -> None:
        result = commands.run("style")

        assert isinstance(result.exception, Refused)
        assert "Olga Owner has 0 indexed words of prose, and a style card wants 300" in str(result.exception)

    def test_a_key_that_does_not_see_the_owner_is_asked_whose(self, commands: Commands) -> None:
        commands.key = create_key(commands.api.records, "app", commands.api.clock.now(), (ADA.id,))

        assert str(commands.run("style").exception).endswith(
            "say whose with --author, as `twin author list` shows them"
        )

    def test_examples_are_wrapped_and_cannot_steer_the_terminal(self) -> None:
        example = "One line\nthat was \x1b[31mwrapped elsewhere."
        habit = Habit(
            name=HabitName.EMOJI, says="none", figures=(Figure(name="in 1,000 words", value=0),), examples=(example,)
        )
        computed = StyleCard(author=ADA, documents=2, words=1234, habits=(habit,))

        assert card(computed, 24).splitlines() == [
            "Ada Lovelace, from 1,234 words of prose in 2 texts",
            "",
            "emoji               none",
            "  > One line that was",
            "  > [31mwrapped",
            "  > elsewhere.",
        ]


class TestDraft:
    def test_with_a_model_there_are_text_and_sources(self, commands: Commands) -> None:
        commands.model = ScriptedModel(lambda _: "Queues need limits. [1]")
        commands.index("Queues")

        result = commands.run("draft", "queue limit", "--length", "100", "--audience", "all")

        assert result.stdout == "Queues need limits. [1]\n\n[1] Queues\n    https://example.org/Queues\n"
        assert "Length: about 100 words\nFor: all" in commands.model.prompts[0].messages[1].content

    def test_without_one_there_is_an_outline_that_says_so(self, commands: Commands) -> None:
        commands.index("Queues")

        result = commands.run("draft", "queue limit", "--compare")

        assert result.stdout.startswith("# queue limit\n")
        assert "not a draft: no language model is configured" in result.stdout
        assert "--compare is left out: there is nothing to compare without a language model\n" in result.stderr

    def test_compared_it_is_written_again_without_the_style(self, commands: Commands) -> None:
        commands.model = ScriptedModel(
            lambda prompt: "In style." if "<sample>\n" in prompt.messages[0].content else "Plain."
        )
        commands.index("Queues")

        result = commands.run("draft", "queue limit", "--compare")

        assert result.stdout == "== as Olga Owner ==\n\nIn style.\n\n== without their style ==\n\nPlain.\n\n"

    def test_a_model_that_fails_is_tried_once(self, commands: Commands) -> None:
        commands.model = ScriptedModel()
        commands.model.fails_after = 0

        result = commands.run("draft", "queue limit")

        assert str(result.exception) == (
            "POST /v1/drafts was refused (502): the language model scripted broke off; try again"
        )
        assert len(commands.model.prompts) == 1

    def test_an_outline_is_read_from_a_file(self, commands: Commands, tmp_path: Path) -> None:
        (tmp_path / "points.md").write_text("# Why\n\n- What for\n2. How long\nPlain line\n")
        commands.index("Queues")

        text = commands.run("draft", "queue limit", "--outline", str(tmp_path / "points.md")).stdout

        titles = [line for line in text.splitlines() if line.startswith("## ")]
        assert titles == ["## Why", "## What for", "## How long", "## Plain line"]

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (None, "No such file or directory"),
            (b"\xff", "it is not UTF-8 at byte 0"),
            (b"\n \n", "there is no line in it"),
        ],
    )
    def test_what_is_no_outline_is_one_sentence(self, tmp_path: Path, content: bytes | None, why: str) -> None:
        path = tmp_path / "points"
        if content is not None:
            path.write_bytes(content)

        with pytest.raises(OutlineUnreadable, match=why):
            points_of(path)

    def test_two_drafts_stand_beside_each_other_where_there_is_room(self) -> None:
        citation = Citation(number=1, document_id=document_id_of("a"), chunk_id="c", title="Queues", quote="q")
        written = DraftResult(kind="draft", text="Short. [1]", author=ADA, citations=(citation,))
        plain = DraftResult(kind="draft", text="word " * 20, author=ADA)

        lines = beside(written, plain, draft_command._BESIDE).splitlines()

        assert lines[0] == "as Ada Lovelace                                  │ without their style"
        assert (
            lines[2]
            == "Short. [1]                                       │ word word word word word word word word word"
        )
        assert lines[3].endswith(" │ word word word word word word word word word")
        assert lines[-3:] == ["Sources as Ada Lovelace:", "[1] Queues", f"    {document_id_of('a')}"]
