"""Whether the stores answer, as an API in a process of its own tells it."""

import threading

import pytest

from fakes.api import Api
from fakes.flow import eventually
from twin_platform.errors import TransientError
from twin_platform.log.errors import LogUnavailable
from twin_rag_api import stores
from twin_rag_api.stores import StoreWatch


def test_a_store_that_is_away_is_told_with_why_and_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "ASK_SECONDS", 0.005)
    answers, stop = threading.Event(), threading.Event()

    def ask() -> None:
        if not answers.is_set():
            message = "no route"
            raise TransientError(message)

    watch = StoreWatch("vectors", ask, without="stopped")
    assert watch.component.state == "starting"
    running = threading.Thread(target=watch.run, args=(stop,))
    running.start()

    eventually(lambda: watch.component.state == "stopped")
    assert watch.component.detail == "no route"
    answers.set()
    eventually(lambda: watch.component.state == "ready")

    stop.set()
    running.join()


def test_the_status_of_a_system_without_its_log_says_that_nobody_knows_what_waits(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waiting() -> int:
        raise LogUnavailable("away")

    monkeypatch.setattr(api.log, "waiting", waiting)

    response = api.client.get("/v1/status")

    assert (response.status_code, response.json()["waiting"]) == (200, None)
