"""What the commands print, to the letter."""

import pytest

from twin_cli import show
from twin_cli.import_documents import Imported
from twin_contracts.chat import AssistantMessage, ChatCompletion, Choice, Citation, TwinAnswer, Usage
from twin_contracts.documents import AuthorRef, DocumentType, document_id_of
from twin_contracts.http import ComponentStatus, RecordCounts, SearchHit, SearchResult, SystemStatus
from twin_contracts.records import Metadata

ID = document_id_of("a")


def completion(content: str, *citations: Citation) -> ChatCompletion:
    return ChatCompletion(
        id="trace",
        created=0,
        model="twin",
        choices=(Choice(message=AssistantMessage(content=content)),),
        usage=Usage(prompt_tokens=0, completion_tokens=0, total_tokens=0),
        twin=TwinAnswer(answered=bool(citations), citations=citations),
    )


def citation(number: int, title: str | None, url: str | None, *heading_path: str) -> Citation:
    return Citation(
        number=number, document_id=ID, chunk_id="c", title=title, url=url, heading_path=heading_path, quote="q"
    )


def hit(text: str, title: str | None, url: str | None, *heading_path: str) -> SearchHit:
    author = AuthorRef.of("Ada Sample")
    metadata = Metadata(
        type=DocumentType.ARTICLE, title=title, author=author.id, author_name=author.name, platform="test", url=url
    )
    return SearchHit(
        document_id=ID,
        chunk_id="c",
        position=0,
        heading_path=heading_path,
        text=text,
        score=0.03,
        similarity=0.7165,
        metadata=metadata,
    )


def status_of(counts: RecordCounts, seconds: float | None = None) -> SystemStatus:
    return SystemStatus(
        ready=True,
        components=(),
        counts=counts,
        waiting=0,
        captured=True,
        reemissions=0,
        embedding="minilm",
        seconds_to_searchable=seconds,
    )


def test_an_answer_is_followed_by_its_sources() -> None:
    shown = show.answer(
        completion(
            "Bridges stand. [1] They are  old. [2]",
            citation(1, "On bridges", "https://blog.example/1", "Stone", "Arches"),
            citation(2, None, None),
        ),
        None,
    )

    assert shown == (
        "Bridges stand. [1] They are  old. [2]\n"
        "\n"
        "[1] On bridges > Stone > Arches\n"
        "    https://blog.example/1\n"
        f"[2] {ID}\n"
        f"    {ID}"
    )


def test_a_title_that_is_also_the_first_heading_is_shown_once() -> None:
    shown = show.answer(completion("A. [1]", citation(1, "On bridges", "https://x", "On bridges", "Arches")), None)

    assert shown == "A. [1]\n\n[1] On bridges > Arches\n    https://x"


def test_a_place_that_is_cited_twice_is_shown_once() -> None:
    shown = show.answer(
        completion(
            "Bridges stand. [1]\n\nThey are\n  old. [2]",
            citation(1, "On bridges", "https://x", "Arches"),
            citation(2, "On bridges", "https://x", "Arches"),
        ),
        None,
    )

    assert shown == "Bridges stand. [1]\nThey are old. [2]\n\n[1][2] On bridges > Arches\n    https://x"


def test_a_refusal_stands_alone() -> None:
    assert show.answer(completion("Your texts do not say."), 80) == "Your texts do not say."


def test_in_a_terminal_lines_are_wrapped_between_words_only() -> None:
    shown = show.answer(completion("A well-known https://blog.example/a-long-address stands."), 20)

    assert shown == "A well-known\nhttps://blog.example/a-long-address\nstands."


def test_control_characters_of_a_text_do_not_reach_the_terminal() -> None:
    assert show.answer(completion("\x1b[31mred\x07\x9b0m\tstays"), None) == "[31mred0m\tstays"


def test_hits_are_numbered_with_their_place_and_an_excerpt() -> None:
    result = SearchResult(
        hits=(
            hit("Bridges\n\nstand " + "x" * 300, "On bridges", "https://blog.example/1", "Stone"),
            hit("Short.", None, None),
        )
    )

    assert show.hits(result, None) == (
        "1. On bridges > Stone  (similarity 0.72)\n"
        "   Bridges stand …\n"
        "   https://blog.example/1\n"
        f"2. {ID}  (similarity 0.72)\n"
        "   Short.\n"
        f"   {ID}"
    )


def test_an_excerpt_is_wrapped_and_indented_in_a_terminal() -> None:
    result = SearchResult(hits=(hit("one two three four", "T", "u"),))

    assert show.hits(result, 12).splitlines()[1:3] == ["   one two", "   three"]


def test_a_long_text_without_spaces_is_cut_all_the_same() -> None:
    result = SearchResult(hits=(hit("橋" * 400, "T", "u"),))

    assert show.hits(result, None).splitlines()[1] == "   " + "橋" * 300 + " …"


def test_no_hit_is_said() -> None:
    assert show.hits(SearchResult(hits=()), None) == "nothing found"


def test_an_import_ends_with_its_counts_and_one_line_per_refusal() -> None:
    result = Imported(stored=3, indexed=2, refused=["a.txt: not UTF-8", "b: rejected: no text"])

    assert show.imported(result) == (
        "3 stored, 2 indexed, 2 refused\n  refused: a.txt: not UTF-8\n  refused: b: rejected: no text"
    )


def test_the_status_shows_counts_lag_and_services() -> None:
    system = SystemStatus(
        ready=True,
        components=(
            ComponentStatus(name="cdc", state="ready"),
            ComponentStatus(name="feature-stream", state="degraded", detail="disk full"),
        ),
        counts=RecordCounts(stored=10, indexed=5, rejected=2, parked=1, deleted=3, chunks=44),
        waiting=7,
        captured=False,
        reemissions=1,
        embedding="minilm",
        seconds_to_searchable=0.1874,
    )

    assert show.status(system) == (
        "documents  10 stored, 5 indexed, 2 on their way, 2 rejected, 1 parked\n"
        "chunks     44, embedded by minilm\n"
        "lag        changes not yet captured, events waiting: 7, re-emissions running: 1\n"
        "freshness  last change searchable 187 ms after its commit\n"
        "service    cdc: ready\n"
        "service    feature-stream: degraded (disk full)"
    )


@pytest.mark.parametrize(("seconds", "shown"), [(0.0312, "31 ms"), (0.9, "900 ms"), (97.846, "97.8 s")])
def test_a_freshness_is_shown_in_its_own_unit(seconds: float, shown: str) -> None:
    system = status_of(RecordCounts(stored=1, indexed=1, rejected=0, parked=0, deleted=0, chunks=1), seconds)

    assert f"freshness  last change searchable {shown} after its commit" in show.status(system)


@pytest.mark.parametrize(
    ("stored", "indexed", "why"),
    [
        (0, 0, "nothing is stored yet; `twin import` takes files and folders"),
        (3, 0, "none of 3 stored documents is indexed yet; `twin status` shows how far they are"),
        (3, 1, None),
    ],
)
def test_an_empty_system_explains_why_it_has_no_answer(stored: int, indexed: int, why: str | None) -> None:
    counts = RecordCounts(stored=stored, indexed=indexed, rejected=0, parked=0, deleted=0, chunks=indexed)

    assert show.why_nothing(status_of(counts)) == why


def test_a_quiet_status_says_that_all_is_captured() -> None:
    counts = RecordCounts(stored=0, indexed=0, rejected=0, parked=0, deleted=0, chunks=0)

    assert show.status(status_of(counts)) == (
        "documents  0 stored, 0 indexed, 0 on their way, 0 rejected, 0 parked\n"
        "chunks     0, embedded by minilm\n"
        "lag        all changes captured, events waiting: 0, re-emissions running: 0"
    )
