"""The client survives a restart of the system, and says in one sentence what it cannot survive."""

from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest

from fakes.clock import SettableClock
from twin_cli.client import PATIENCE_SECONDS, Client
from twin_cli.errors import NotLLMTwin, Refused, SystemUnreachable
from twin_contracts.chat import OpenAIError, OpenAIErrorBody
from twin_contracts.http import DocumentInput, DocumentState, DocumentStatus, Problem, SearchFilters

ID = "0" * 8 + "-0000-5000-8000-" + "0" * 12
STORED = DocumentStatus(document_id=ID, status=DocumentState.PENDING)


class System:
    """Answers with what a test queued; the last answer stays."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.clock = SettableClock()
        self.said: list[str] = []
        self.addresses = [("http://here:1", "secret")]

    def client(self) -> Client:
        def wait(seconds: float) -> None:
            self.clock.turn(timedelta(seconds=seconds))

        return Client(self.locate, self.said.append, wait, self.clock, httpx.MockTransport(self.answer))

    def locate(self) -> tuple[str, str]:
        return self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def ok() -> httpx.Response:
    return httpx.Response(202, text=STORED.model_dump_json())


def problem(status: int, detail: str) -> httpx.Response:
    return httpx.Response(status, text=Problem(title="T", status=status, detail=detail).model_dump_json())


def test_a_request_carries_the_key_and_only_what_was_given() -> None:
    system = System(ok())

    system.client().put(ID, DocumentInput(text="Text.", title="Title"))

    (request,) = system.requests
    assert request.method == "PUT"
    assert str(request.url) == f"http://here:1/v1/documents/{ID}"
    assert request.headers["Authorization"] == "Bearer secret"
    assert b"null" not in request.content


@pytest.mark.parametrize(
    "passing",
    [
        httpx.ConnectError("refused"),
        httpx.RemoteProtocolError("gone in the middle"),
        httpx.ReadError(""),
        problem(503, "the disk is full; try again"),
        httpx.Response(502, text="bad gateway"),
    ],
)
def test_what_passes_is_tried_again_where_the_system_is_by_then(passing: httpx.Response | Exception) -> None:
    system = System(passing, passing, ok())
    system.addresses = [("http://here:1", "secret"), ("http://here:1", "secret"), ("http://there:2", "other")]

    assert system.client().document(ID) == STORED

    assert str(system.requests[-1].url).startswith("http://there:2/")
    assert system.requests[-1].headers["Authorization"] == "Bearer other"
    assert system.said == []


def test_a_system_that_stays_away_is_given_up_after_a_minute_with_a_sentence() -> None:
    system = System(httpx.ConnectError("Connection refused"))

    with pytest.raises(SystemUnreachable, match=r"http://here:1 does not answer \(Connection refused\); is `twin up`"):
        system.client().status()

    assert PATIENCE_SECONDS < system.clock.monotonic() < PATIENCE_SECONDS + 1
    assert system.said == ["http://here:1 does not answer (Connection refused); trying for 60 s, Ctrl-C ends it"]


def test_a_system_that_stays_busy_is_given_up_with_its_own_reason() -> None:
    system = System(problem(503, "the disk is full; try again"))

    with pytest.raises(Refused, match=r"GET /v1/status was refused \(503\): the disk is full; try again"):
        system.client().status()

    assert system.clock.monotonic() > PATIENCE_SECONDS
    assert system.said == [
        "http://here:1 does not answer (the disk is full; try again); trying for 60 s, Ctrl-C ends it"
    ]


def test_another_process_that_takes_over_gets_its_own_minute() -> None:
    system = System(httpx.ConnectError("refused"))
    system.addresses = [(f"http://here:{n // 180}", "secret") for n in range(300)]

    with pytest.raises(SystemUnreachable, match="http://here:1 "):
        system.client().status()

    assert system.clock.monotonic() > 1.9 * PATIENCE_SECONDS


@pytest.mark.parametrize(
    ("response", "detail"),
    [
        (lambda: problem(422, "text: Field required"), "text: Field required"),
        (
            lambda: httpx.Response(
                404, text=OpenAIError(error=OpenAIErrorBody(message="no such model", type="x")).model_dump_json()
            ),
            "no such model",
        ),
        (lambda: httpx.Response(418, text="short and stout"), "short and stout"),
        (lambda: httpx.Response(500), "Internal Server Error"),
        (lambda: httpx.Response(413, html="<h1>413</h1>\n<hr>nginx"), "a web page (Request Entity Too Large)"),
    ],
)
def test_an_error_says_what_the_system_said_whatever_its_shape(
    response: Callable[[], httpx.Response], detail: str
) -> None:
    system = System(response())

    with pytest.raises(Refused) as refused:
        system.client().document(ID, wait=5)

    assert refused.value.detail == detail
    assert refused.value.what == f"GET /v1/documents/{ID}"
    assert len(system.requests) == 1


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (httpx.Response(200, text="<html>It works!</html>"), "a web page (OK)"),
        (httpx.Response(200, text="pong\n"), "pong"),
        (httpx.Response(404, html="<title>Error response</title>"), "404 a web page (Not Found)"),
        (httpx.Response(404, json={"detail": "Not Found"}), '404 {"detail":"Not Found"}'),
        (httpx.Response(501, text=""), "501 Not Implemented"),
    ],
)
def test_an_answer_of_something_else_is_one_clear_sentence(response: httpx.Response, said: str) -> None:
    system = System(response)

    with pytest.raises(NotLLMTwin) as refused:
        system.client().search("bridges", 5, SearchFilters())

    assert str(refused.value) == (
        f"http://here:1/v1/search does not answer as LLM Twin does, but {said!r}; does TWIN_URL point at one, of this "
        "release?"
    )


def test_waiting_is_asked_of_the_system() -> None:
    system = System(ok())

    system.client().document(ID, wait=20.0)

    assert system.requests[0].url.query == b"wait=indexed&timeout=20"
