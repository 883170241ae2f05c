"""`twin forget`: says what it deletes, asks first, waits until nothing of it is found."""

import io
import sys

import pytest

from fakes.api import KEY, OWNER, Api, app_of
from fakes.served import Stage
from twin_cli import __main__ as command
from twin_cli import forget
from twin_contracts.base import DocumentId
from twin_contracts.documents import AuthorRef, RawArticle, RawPost, Source, document_id_of, document_id_of_client

ADA = AuthorRef.of("Ada Lovelace")
SOURCE = Source(platform="test")


class Twin:
    """The command against an API whose flow takes no time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.api = Api()
        self.slow = False
        self._monkeypatch, self._capsys = monkeypatch, capsys
        self._delete = self.api.documents.delete
        monkeypatch.setattr(self.api.documents, "delete", self._delete_and_settle)

    def __call__(self, *words: str, answers: str = "") -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["twin", *words])
        self._monkeypatch.setattr(sys, "stdin", io.StringIO(answers))
        with pytest.raises(SystemExit) as end:
            command.main()
        output = self._capsys.readouterr()
        return int(end.value.code or 0), output.out, output.err

    def _delete_and_settle(self, document_id: DocumentId) -> bool:
        document = self.api.documents.get(document_id)
        deleted = self._delete(document_id)
        if document is not None and not self.slow:
            self.api.forget(document)
        return deleted


@pytest.fixture
def twin(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stage: Stage) -> Twin:
    twin = Twin(monkeypatch, capsys)
    for name in ("a", "b"):
        article = RawArticle(id=document_id_of(name), author=ADA, source=SOURCE, title=f"On {name}", text="x\n\ny")
        twin.api.index(article)
    twin.api.index(RawPost(id=document_id_of_client("mine"), author=OWNER, source=SOURCE, text="mine"))
    stage.app = app_of(twin.api.parts)
    monkeypatch.setenv("TWIN_URL", stage.url)
    monkeypatch.setenv("TWIN_API_KEY", KEY)
    return twin


def test_a_document_goes_with_its_chunks(twin: Twin) -> None:
    status, out, _ = twin("forget", document_id_of("a"), "--yes")

    assert (status, out) == (0, "deleted 'On a', 2 chunks; nothing of it is found any more\n")
    assert twin.api.documents.count() == 2


def test_everything_by_an_author_goes_and_is_asked_for_first(twin: Twin) -> None:
    status, out, asked = twin("forget", "Ada Lovelace", answers="y\n")

    assert "delete all 2 documents by Ada Lovelace? [y/N]" in asked
    assert (status, out.strip()) == (0, "deleted 2 documents by Ada Lovelace; nothing of them is found any more")
    assert [one.author for one in twin.api.documents.find()] == [OWNER]


@pytest.mark.parametrize("answers", ["n\n", ""])
def test_nothing_goes_without_a_yes(twin: Twin, answers: str) -> None:
    status, _, asked = twin("forget", "mine", answers=answers)

    assert status == 1
    assert f"by {OWNER.id}?" in asked
    assert twin.api.documents.count() == 3


def test_what_is_not_there_is_said(twin: Twin) -> None:
    status, _, said = twin("forget", "nobody", "--yes")

    assert (status, said) == (1, "there is neither a document nor an author 'nobody'; nothing was deleted\n")


def test_what_could_mean_two_things_is_not_guessed(twin: Twin) -> None:
    post = RawPost(id=document_id_of_client(ADA.id), author=OWNER, source=SOURCE, text="about her")
    twin.api.index(post)

    status, _, said = twin("forget", ADA.id, "--yes")

    assert status == 1
    assert f"name the document as {post.id}" in said
    assert twin.api.documents.count() == 4


def test_a_deletion_that_takes_long_is_left_on_its_way(twin: Twin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forget, "PATIENCE_SECONDS", 0.2)
    twin.slow = True

    status, _, said = twin("forget", "Ada Lovelace", "--yes")

    assert status == 1
    assert "not yet gone from the index" in said
    assert twin.api.documents.count() == 1
