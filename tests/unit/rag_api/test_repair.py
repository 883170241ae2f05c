"""Routes of what did not get through and of its repair: who may look at what, and ask for what."""

import base64
from datetime import timedelta

import pytest

from fakes.api import Api
from twin_contracts.audit import AuditReport, AuditState
from twin_contracts.documents import AuthorRef, RawArticle, Source, document_id_of, document_id_of_client
from twin_contracts.events import Cause
from twin_contracts.http import DocumentState
from twin_contracts.records import DocumentRecord, RecordStatus, Stage
from twin_contracts.reemission import MAX_REEMISSION_IDS
from twin_contracts.repair import ParkedPage, ReemissionStatus, UnreadableDetail
from twin_platform.features.port import ApplyDocument
from twin_platform.records.audits import finish_audit, open_audits
from twin_platform.records.keys import create_key
from twin_platform.records.reemissions import finish_reemission, open_reemissions
from twin_platform.records.unreadable import UNREADABLE, UnreadableMessage

ANN, BOB = AuthorRef.of("Ann"), AuthorRef.of("Bob")
TOO_MANY = MAX_REEMISSION_IDS + 1
NOWHERE = "0b6d4e0e-6a4c-4e0f-9d3b-6a1d6f4b7c11"


@pytest.fixture
def bound(api: Api) -> dict[str, str]:
    """The headers of a key that is bound to Ann."""
    return {"Authorization": f"Bearer {create_key(api.records, 'app', api.clock.now(), (ANN.id,))}"}


def article(name: str, author: AuthorRef = ANN) -> RawArticle:
    source = Source(platform="test", url=f"https://example.org/{name}")
    return RawArticle(id=document_id_of(name), author=author, source=source, title=f"On {name}", text=name)


def refuse(api: Api, name: str, author: AuthorRef = ANN) -> RawArticle:
    document = article(name, author)
    api.documents.upsert(document)
    api.refuse(document, f"nothing is left of {name}")
    return document


def listed(api: Api, query: str = "", headers: dict[str, str] | None = None) -> ParkedPage:
    return ParkedPage.model_validate_json(api.client.get(f"/v1/parked{query}", headers=headers).content)


def asked(api: Api, **body: object) -> ReemissionStatus:
    response = api.client.post("/v1/reemissions", json=body)
    assert response.status_code == 202
    return ReemissionStatus.model_validate_json(response.content)


def looked_at(api: Api, status: ReemissionStatus) -> ReemissionStatus:
    return ReemissionStatus.model_validate_json(api.client.get(f"/v1/reemissions/{status.id}").content)


class TestParked:
    def test_what_was_refused_is_listed_with_its_title_place_and_reason(self, api: Api) -> None:
        api.index(article("whole"))
        document = refuse(api, "empty")

        [item] = listed(api).items

        assert (item.document_id, item.status, item.stage) == (document.id, DocumentState.REJECTED, Stage.CLEAN)
        assert (item.title, item.url) == ("On empty", "https://example.org/empty")
        assert item.reason == "nothing is left of empty"

    def test_the_newest_comes_first_page_by_page(self, api: Api) -> None:
        names = [refuse(api, f"text {number}").id for number in range(5)]

        pages, cursor = [listed(api, "?limit=2")], ""
        while (cursor := pages[-1].next or "") and len(pages) < 9:
            pages.append(listed(api, f"?limit=2&cursor={cursor}"))

        assert [[item.document_id for item in page.items] for page in pages] == [
            names[4:2:-1],
            names[2:0:-1],
            names[:1],
        ]

    def test_what_could_not_even_be_stored_as_a_document_is_listed(self, api: Api) -> None:
        record = DocumentRecord(
            document_id=document_id_of("noise"),
            version=api.documents.read(()).version,
            status=RecordStatus.REJECTED,
            stage=Stage.DECODE,
            reason="text: Field required",
        )
        api.features.apply([ApplyDocument(record)])

        [item] = listed(api).items

        assert (item.document_id, item.reason, item.title) == (record.document_id, "text: Field required", None)

    def test_one_that_was_edited_since_is_on_its_way_and_not_listed(self, api: Api) -> None:
        document = refuse(api, "empty")

        api.documents.upsert(document.model_copy(update={"text": "now there is something"}))

        assert listed(api).items == ()

    def test_a_bound_key_sees_its_authors_alone(self, api: Api, bound: dict[str, str]) -> None:
        mine, _ = refuse(api, "mine"), refuse(api, "other", BOB)
        keep_unreadable(api, b"noise")

        page = listed(api, headers=bound)

        assert [item.document_id for item in page.items] == [mine.id]
        assert page.unreadable == ()

    @pytest.mark.parametrize("cursor", ["x", "1.2", "1.2.3", f"1.x.{NOWHERE}", "9" * 30 + f".0.{NOWHERE}"])
    def test_a_cursor_that_is_none_is_refused(self, api: Api, cursor: str) -> None:
        assert api.client.get(f"/v1/parked?cursor={cursor}").status_code == 422

    def test_messages_that_nobody_could_read_are_listed_and_shown(self, api: Api, bound: dict[str, str]) -> None:
        keep_unreadable(api, b"\x00noise")

        [entry] = listed(api).unreadable
        path = f"/v1/unreadable/{entry.id}"
        shown = UnreadableDetail.model_validate_json(api.client.get(path).content)

        assert (entry.queue, entry.size) == ("live.3", 6)
        assert base64.b64decode(shown.body_base64) == b"\x00noise"
        assert api.client.get(path, headers=bound).status_code == 404
        assert api.client.get(f"/v1/unreadable/{NOWHERE}").status_code == 404


def keep_unreadable(api: Api, body: bytes) -> None:
    message = UnreadableMessage(
        queue="live.3", body_base64=base64.b64encode(body).decode(), received_at=api.clock.now()
    )
    api.records.put(UNREADABLE, "live.3/1.7", message)


class TestReemissions:
    def test_named_documents_are_tried_again_parked_or_not(self, api: Api) -> None:
        document = refuse(api, "empty")

        status = asked(api, ids=[document.id])

        [request] = open_reemissions(api.records)
        assert (request.id, request.ids, request.cause) == (status.id, (document.id,), Cause.REPLAY)
        assert (status.documents, status.published, status.remaining) == (1, False, 1)

    def test_a_clients_own_id_names_a_document_too(self, api: Api) -> None:
        document = article("mine").model_copy(update={"id": document_id_of_client("mine")})
        api.index(document)

        asked(api, ids=["mine", document.id])

        assert [request.ids for request in open_reemissions(api.records)] == [(document.id,)]

    def test_without_names_it_is_everything_and_the_parked_stay_parked(self, api: Api) -> None:
        status = asked(api)

        [request] = open_reemissions(api.records)
        assert (request.ids, request.cause) == (None, Cause.REFILL)
        assert (status.documents, status.remaining) == (None, None)

    def test_it_can_be_looked_at_until_the_last_document_came_out(self, api: Api) -> None:
        documents = [refuse(api, name) for name in "ab"]
        status = asked(api, ids=[document.id for document in documents])
        [request] = open_reemissions(api.records)
        finish_reemission(api.records, api.clock, request)
        published = looked_at(api, status)
        version = api.documents.read(()).version
        api.features.apply([ApplyDocument(DocumentRecord.tombstone(documents[0].id, version))])
        api.features.apply([ApplyDocument(DocumentRecord.tombstone(documents[1].id, version))])

        assert (published.published, published.remaining) == (True, 2)
        assert looked_at(api, status).remaining == 0

    def test_its_events_are_later_than_a_record_that_a_restored_store_does_not_know(self, api: Api) -> None:
        document = article("a")
        api.index(document)
        ahead = api.documents.read(()).version.model_copy(update={"seconds": 9_000_000_000})
        api.features.apply([ApplyDocument(api.change(document).record.model_copy(update={"version": ahead}))])

        asked(api, ids=[document.id])

        assert api.documents.read(()).version > ahead

    @pytest.mark.parametrize(
        "body",
        [{"ids": []}, {"ids": ["a/b"]}, {"ids": [""]}, {"ids": "a"}, {"all": True}, {"ids": ["a"] * TOO_MANY}],
    )
    def test_a_request_that_makes_no_sense_is_refused(self, api: Api, body: dict[str, object]) -> None:
        assert api.client.post("/v1/reemissions", json=body).status_code == 422
        assert open_reemissions(api.records) == []

    def test_a_document_that_is_nowhere_is_a_404(self, api: Api) -> None:
        response = api.client.post("/v1/reemissions", json={"ids": [refuse(api, "a").id, NOWHERE]})

        assert response.status_code == 404
        assert NOWHERE in response.json()["detail"]
        assert open_reemissions(api.records) == []

    def test_a_document_that_only_the_snapshots_have_can_be_named(self, api: Api) -> None:
        document = article("a")
        api.index(document)
        api.documents.delete(document.id)

        assert asked(api, ids=[document.id]).documents == 1

    def test_a_bound_key_has_its_authors_documents_tried_again_alone(self, api: Api, bound: dict[str, str]) -> None:
        mine, other = refuse(api, "mine"), refuse(api, "other", BOB)
        bodies: list[dict[str, object]] = [{"ids": [mine.id]}, {"ids": [mine.id, other.id]}, {}]

        statuses = [api.client.post("/v1/reemissions", json=one, headers=bound).status_code for one in bodies]

        assert statuses == [202, 404, 422]
        assert [request.ids for request in open_reemissions(api.records)] == [(mine.id,)]

    def test_a_bound_key_sees_the_requests_for_its_authors_alone(self, api: Api, bound: dict[str, str]) -> None:
        mine, other = refuse(api, "mine"), refuse(api, "other", BOB)
        requests = [asked(api, ids=[mine.id]), asked(api, ids=[other.id]), asked(api)]

        seen = [api.client.get(f"/v1/reemissions/{one.id}", headers=bound).status_code for one in requests]

        assert seen == [200, 404, 404]

    def test_an_unknown_one_is_a_404(self, api: Api) -> None:
        response = api.client.get(f"/v1/reemissions/{NOWHERE}")

        assert (response.status_code, "no re-emission" in response.json()["detail"]) == (404, True)


class TestAudits:
    def test_an_audit_is_asked_for_and_looked_at(self, api: Api) -> None:
        response = api.client.post("/v1/audits")
        waiting = AuditReport.model_validate_json(api.client.get(response.headers["Location"]).content)
        [request] = open_audits(api.records)
        finish_audit(api.records, api.clock, waiting)

        finished = AuditReport.model_validate_json(api.client.get(response.headers["Location"]).content)

        assert (response.status_code, request.id, waiting.state) == (202, waiting.id, AuditState.WAITING)
        assert (finished.state, finished.exact) == (AuditState.FINISHED, True)

    def test_who_asks_while_one_waits_joins_it(self, api: Api) -> None:
        first = api.client.post("/v1/audits").json()["id"]
        api.clock.turn(timedelta(seconds=1))

        assert api.client.post("/v1/audits").json()["id"] == first

    def test_an_unknown_one_is_a_404(self, api: Api) -> None:
        response = api.client.get(f"/v1/audits/{NOWHERE}")

        assert (response.status_code, "no audit" in response.json()["detail"]) == (404, True)


def test_indexes_are_rebuilt_on_request(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def optimize() -> None:
        api.clock.turn(timedelta(seconds=2))

    monkeypatch.setattr(api.features, "optimize", optimize)

    assert api.client.post("/v1/optimize").json() == {"seconds": 2.0}


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/audits"), ("GET", f"/v1/audits/{NOWHERE}"), ("POST", "/v1/optimize")]
)
def test_what_concerns_the_whole_installation_is_not_there_for_a_bound_key(
    api: Api, bound: dict[str, str], method: str, path: str
) -> None:
    response = api.client.request(method, path, headers=bound)

    assert response.status_code == 404
    assert open_audits(api.records) == []
