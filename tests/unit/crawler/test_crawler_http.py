"""The crawler's own HTTP service, for a crawler that is a process of its own."""

import pytest
from starlette.testclient import TestClient

from fakes.clock import SettableClock
from fakes.records import InMemoryRecordStore
from twin_contracts.crawl import CrawlState
from twin_contracts.http import ComponentStatus
from twin_crawler.http import CrawlerRoutes
from twin_crawler.metrics import METRICS
from twin_platform.records.crawls import CRAWLS, crawl_job, finish_crawl
from twin_platform.telemetry.prometheus import PrometheusMetrics

KEY = "a-key-of-enough-characters"
LINK = "https://blog.example/rye"


class World:
    """The service over records in memory."""

    def __init__(self) -> None:
        self.clock, self.records = SettableClock(), InMemoryRecordStore()
        self.status = ComponentStatus(name="crawler", state="ready")
        routes = CrawlerRoutes(self.records, self.clock, lambda: self.status, KEY, PrometheusMetrics(METRICS))
        self.client = TestClient(routes.app(), headers={"Authorization": f"Bearer {KEY}"})


@pytest.fixture
def world() -> World:
    return World()


def test_a_crawl_is_asked_for_and_looked_at(world: World) -> None:
    response = world.client.post("/crawls", json={"links": [LINK]})
    job = crawl_job(world.records, response.json()["id"])
    assert job is not None
    finish_crawl(world.records, world.clock, job)

    looked_at = world.client.get(response.headers["Location"])

    assert response.status_code == 202
    assert looked_at.json()["state"] == CrawlState.FINISHED


@pytest.mark.parametrize("key", ["", "Bearer ", "Bearer another", f"Basic {KEY}", KEY])
def test_nothing_is_crawled_without_the_key(world: World, key: str) -> None:
    headers = {"Authorization": key}

    answers = [
        world.client.post("/crawls", json={"links": [LINK]}, headers=headers),
        world.client.get("/crawls/0b6d4e0e-6a4c-4e0f-9d3b-6a1d6f4b7c11", headers=headers),
    ]

    assert [answer.status_code for answer in answers] == [401, 401]
    assert world.records.find(CRAWLS) == []


def test_only_http_and_https_are_taken(world: World) -> None:
    assert world.client.post("/crawls", json={"links": ["file:///etc/passwd"]}).status_code == 422


def test_an_unknown_crawl_is_a_404(world: World) -> None:
    assert world.client.get("/crawls/0b6d4e0e-6a4c-4e0f-9d3b-6a1d6f4b7c11").status_code == 404


def test_probes_are_open_and_say_whether_jobs_are_worked_off(world: World) -> None:
    anybody = {"Authorization": ""}
    ready = world.client.get("/readyz", headers=anybody).status_code
    world.status = ComponentStatus(name="crawler", state="degraded", detail="the store is away")

    degraded = world.client.get("/readyz", headers=anybody)

    assert (ready, degraded.status_code) == (200, 503)
    assert "the store is away" in degraded.text
    assert world.client.get("/healthz", headers=anybody).status_code == 200
