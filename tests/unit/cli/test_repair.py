"""`twin parked`, `resync`, `audit`, `optimize`: what a person reads, and what is asked for."""

import base64
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread

import pytest

from fakes.api import KEY, Api, app_of
from fakes.served import Stage
from twin_cli import __main__ as command
from twin_cli import repair
from twin_cli.repair import reported
from twin_contracts.audit import AuditCounts, AuditReport
from twin_contracts.documents import AuthorRef, RawArticle, Source, document_id_of
from twin_contracts.records import DocumentRecord, RecordStatus
from twin_contracts.reemission import Reemission
from twin_platform.features.port import ApplyDocument
from twin_platform.records.audits import finish_audit, open_audits
from twin_platform.records.keys import create_key
from twin_platform.records.reemissions import ask_reemission, finish_reemission, open_reemissions
from twin_platform.records.unreadable import UNREADABLE, UnreadableMessage

ADA = AuthorRef.of("Ada Lovelace")


class Twin:
    """The command against an API over HTTP; `flow` plays cdc and the flow meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.api = Api()
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *words: str) -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["twin", *words])
        with pytest.raises(SystemExit) as end:
            command.main()
        output = self._capsys.readouterr()
        return int(end.value.code or 0), output.out, output.err

    def refuse(self, name: str, status: RecordStatus = RecordStatus.REJECTED) -> RawArticle:
        document = article(name)
        self.api.documents.upsert(document)
        self.api.refuse(document, f"nothing is left of {name}")
        record = self.api.features.records([document.id])[document.id]
        later = record.model_copy(update={"status": status, "version": self.api.documents.read(()).version})
        self.api.features.apply([ApplyDocument(later)])
        return document

    def indexes(self, request: Reemission) -> None:
        """Do what cdc and the flow do, successfully."""
        for document_id in request.ids or ():
            document = self.api.documents.get(document_id)
            version = self.api.documents.read(()).version
            if document is None:
                record = DocumentRecord.tombstone(document_id, version)
            else:
                record = self.api.change(document).record.model_copy(update={"version": version, "chunks": 0})
            self.api.features.apply([ApplyDocument(record)])

    def parks_again(self, request: Reemission) -> None:
        """Do what they do where nothing has changed."""
        for record in self.api.features.records(request.ids or ()).values():
            version = self.api.documents.read(()).version
            self.api.features.apply([ApplyDocument(record.model_copy(update={"version": version}))])

    @contextmanager
    def flow(self, process: Callable[[Reemission], None]) -> Iterator[None]:
        """Carry out what is asked for."""
        stop = Event()

        def run() -> None:
            while not stop.wait(0.01):
                for request in open_reemissions(self.api.records):
                    finish_reemission(self.api.records, self.api.clock, request)
                    process(request)

        thread = Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def article(name: str) -> RawArticle:
    source = Source(platform="blog", url=f"https://example.org/{name}")
    return RawArticle(id=document_id_of(name), author=ADA, source=source, title=f"On {name}", text=name)


@pytest.fixture
def twin(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stage: Stage) -> Twin:
    monkeypatch.setattr(repair, "POLL_SECONDS", 0.01)
    twin = Twin(monkeypatch, capsys)
    stage.app = app_of(twin.api.parts)
    monkeypatch.setenv("TWIN_URL", stage.url)
    monkeypatch.setenv("TWIN_API_KEY", KEY)
    return twin


class TestParked:
    def test_where_all_got_through_that_is_said(self, twin: Twin) -> None:
        assert twin("parked", "list") == (0, "", "nothing is parked or rejected\n")

    def test_each_is_listed_with_title_place_stage_and_reason(self, twin: Twin) -> None:
        document = twin.refuse("bees", RecordStatus.PARKED)
        body = base64.b64encode(b"\x1b[31mnoise").decode()
        message = UnreadableMessage(queue="live.3", body_base64=body, received_at=twin.api.clock.now())
        twin.api.records.put(UNREADABLE, "live.3/1", message)

        status, out, _ = twin("parked", "list")

        first, reason, noise = out.splitlines()
        assert status == 0
        assert first == f"parked      {document.id}  On bees · https://example.org/bees"
        assert reason.strip() == "clean: nothing is left of bees"
        assert noise.startswith("unreadable  ")
        assert noise.endswith("10 bytes, 2025-03-01 12:00, from live.3")

    def test_one_is_shown_with_everything_and_where_its_raw_document_is(self, twin: Twin) -> None:
        document = twin.refuse("bees")

        _, out, _ = twin("parked", "show", document.id)

        told = dict(line.split(maxsplit=1) for line in out.splitlines())
        assert (told["status"], told["stage"], told["reason"]) == ("rejected", "clean", "nothing is left of bees")
        assert (told["source"], told["author"]) == ("https://example.org/bees", ADA.id)
        assert "in the document store under this id" in told["raw"]

    def test_an_unreadable_message_is_shown_with_its_bytes_and_steers_no_terminal(self, twin: Twin) -> None:
        body = base64.b64encode(b"\x1b[31mnoise").decode()
        message = UnreadableMessage(queue="live.3", body_base64=body, received_at=twin.api.clock.now())
        twin.api.records.put(UNREADABLE, "live.3/1", message)
        entry = twin("parked", "list")[1].split()[1]

        _, out, _ = twin("parked", "show", entry)

        assert r"b'\x1b[31mnoise'" in out
        assert "twin resync" in out

    @pytest.mark.parametrize("item", ["nothing", document_id_of("nothing"), "a/b", ".."])
    def test_what_is_not_there_is_said(self, twin: Twin, item: str) -> None:
        status, _, said = twin("parked", "show", item)

        assert (status, said) == (1, f"there is nothing {item!r}; `twin parked list` shows what did not get through\n")

    def test_a_replay_says_what_became_of_each(self, twin: Twin) -> None:
        document = twin.refuse("bees", RecordStatus.PARKED)

        with twin.flow(twin.indexes):
            status, out, _ = twin("parked", "replay", document.id)

        assert (status, out) == (0, f"{document.id} (On bees): indexed, 0 chunks\n")

    def test_one_that_is_parked_again_is_said_and_fails(self, twin: Twin) -> None:
        document = twin.refuse("bees", RecordStatus.PARKED)

        with twin.flow(twin.parks_again):
            status, out, _ = twin("parked", "replay", document.id)

        assert (status, out) == (1, f"{document.id} (On bees): parked by stage clean: nothing is left of bees\n")

    def test_all_is_everything_that_is_parked(self, twin: Twin) -> None:
        parked = {twin.refuse(name, RecordStatus.PARKED).id for name in ("a", "b")}
        twin.refuse("rejected")
        asked: list[Reemission] = []

        def index(request: Reemission) -> None:
            asked.append(request)
            twin.indexes(request)

        with twin.flow(index):
            status, _, _ = twin("parked", "replay", "--all")

        assert (status, [set(request.ids or ()) for request in asked]) == (0, [parked])

    def test_where_nothing_is_parked_all_is_nothing(self, twin: Twin) -> None:
        twin.refuse("rejected")

        assert twin("parked", "replay", "--all")[:2] == (0, "nothing is parked\n")

    @pytest.mark.parametrize("words", [(), ("x", "--all")])
    def test_a_replay_of_nothing_or_of_both_is_refused(self, twin: Twin, words: tuple[str, ...]) -> None:
        status, _, said = twin("parked", "replay", *words)

        assert (status, said.startswith("name documents to try again, or give --all")) == (1, True)


class TestResync:
    def test_everything_is_asked_for_at_the_system_of_the_url(self, twin: Twin) -> None:
        status, out, _ = twin("resync")

        [request] = open_reemissions(twin.api.records)
        assert (status, out) == (0, "asked for; `twin status` shows when it is done\n")
        assert request.ids is None

    def test_a_document_that_is_gone_is_removed_and_that_is_said(self, twin: Twin) -> None:
        document = article("bees")
        twin.api.index(document)
        twin.api.documents.delete(document.id)

        with twin.flow(twin.indexes):
            status, out, _ = twin("resync", document.id)

        assert (status, out) == (1, f"{document.id}: gone; nothing of it is found any more\n")

    def test_one_that_is_nowhere_is_one_sentence(self, twin: Twin) -> None:
        status, _, said = twin("resync", "nowhere")

        assert status == 1
        assert "there is no document 'nowhere'" in said

    def test_a_flow_that_does_not_come_to_it_is_not_waited_for_for_ever(
        self, twin: Twin, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        document = twin.refuse("bees", RecordStatus.PARKED)
        monkeypatch.setattr(repair, "PATIENCE_SECONDS", 0.05)

        status, _, said = twin("resync", document.id)

        assert status == 1
        assert "not all of it has come out of the flow yet" in said


class TestAudit:
    def test_where_all_is_one_the_status_is_0(self, twin: Twin) -> None:
        with audits(twin, counts=AuditCounts(documents=1200, records=1201, chunks=9000)):
            status, out, _ = twin("audit")

        assert (status, out) == (0, "compared 1,200 documents, 1,201 records, 9,000 chunks: all is one\n")

    def test_what_differs_and_what_is_done_about_it_is_said(self, twin: Twin) -> None:
        with audits(twin, counts=AuditCounts(missing=2, stale=1), asked_again=3):
            status, out, _ = twin("audit")

        assert status == 1
        assert "  2 documents without a record\n  1 document whose record is of other content\n" in out
        assert "3 documents asked for again; `twin status` shows when all has arrived" in out

    def test_who_waits_sees_the_end_of_the_repair(self, twin: Twin) -> None:
        document = article("bees")
        twin.api.documents.upsert(document)
        asked = ask_reemission(twin.api.records, twin.api.clock, "audit", (document.id,))
        changes = {"counts": AuditCounts(missing=1), "asked_again": 1, "reemissions": (asked.id,)}

        with audits(twin, **changes), twin.flow(twin.indexes):
            status, _, said = twin("audit", "--wait")

        assert (status, "what differed has been made anew" in said) == (1, True)

    def test_a_bound_key_may_not(self, twin: Twin, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TWIN_API_KEY", create_key(twin.api.records, "app", twin.api.clock.now(), (ADA.id,)))

        status, _, said = twin("audit")

        assert status == 1
        assert "/v1/audits" in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"chunks_removed": 3}, "chunks removed that were older than their record: 3"),
        ({"chunks_watched": 2}, "chunks that no record names: 2; what is left of them in an hour goes"),
        ({"counts": AuditCounts(outdated=9)}, "9 documents made by an older pipeline; `twin resync` makes them anew"),
        (
            {"counts": AuditCounts(missing=9), "was_quiet": False},
            "changes kept arriving: some of these may only have been on their way",
        ),
        (
            {"counts": AuditCounts(missing=9)},
            "a re-emission of everything is under way and makes them anew; `twin status` shows it",
        ),
        (
            {"counts": AuditCounts(missing=9), "reemissions": (document_id_of("x"),)},
            "everything is asked for again; `twin status` shows when all has arrived",
        ),
    ],
)
def test_a_report_is_told_in_plain_words(changes: dict[str, object], said: str) -> None:
    api = Api()
    report = AuditReport(id=document_id_of("audit"), reason="test", requested_at=api.clock.now())

    assert said in reported(report.model_copy(update=changes))


def test_the_indexes_are_rebuilt(twin: Twin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twin.api.features, "optimize", lambda: twin.api.clock.turn(timedelta(seconds=2)))

    assert twin("optimize")[:2] == (0, "the indexes are rebuilt (2.0 s)\n")


@contextmanager
def audits(twin: Twin, **changes: object) -> Iterator[None]:
    """Carry out an audit that is asked for, with this result."""
    stop = Event()

    def run() -> None:
        while not stop.wait(0.01):
            for request in open_audits(twin.api.records):
                report = AuditReport.of(request).model_copy(update=changes)
                finish_audit(twin.api.records, twin.api.clock, report)

    thread = Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
