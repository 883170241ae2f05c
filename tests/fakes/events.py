"""What a listener of `GET /v1/events` hears, in an order that no clock decides."""

import threading
from collections.abc import Callable

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from fakes.api import Api
from fakes.flow import DEADLINE, eventually
from twin_platform.records.crawls import open_crawls
from twin_rag_api import events


def hear(api: Api, *steps: Callable[[], object], client: TestClient | None = None) -> str:
    """Listen; then take one step after the other, each when the listener has looked again; then let the system stop.

    Args:
        client: who listens; the owner by default. Its stream may end before the system stops.
    """
    client = client or api.client
    app = client.app
    assert isinstance(app, Starlette)
    looks = 0
    ended = threading.Event()

    def look(*arguments: object) -> object:
        nonlocal looks
        looks += 1
        return open_crawls(*arguments)  # type: ignore[arg-type]  # the function's own arguments

    def looked_again() -> None:
        before = looks
        eventually(lambda: looks > before + 1 or ended.is_set())

    def play() -> None:
        looked_again()
        for step in steps:
            step()
            looked_again()
        app.state.stopping = True

    player = threading.Thread(target=play)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events, "open_crawls", look)
        patch.setattr(events, "_ASK_SECONDS", 0.0)
        patch.setattr(events, "_LOOK_SECONDS", 0.005)
        player.start()
        response = client.get("/v1/events", params={"seconds": DEADLINE})
        ended.set()
        player.join()
    assert response.headers["content-type"].startswith("text/event-stream")
    return response.text
