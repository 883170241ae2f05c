"""The polite fetcher, against a site of this machine and against recorded connections."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import httpx
import pytest

from fakes.clock import SettableClock
from fakes.site import HTML as HTML_TYPE
from fakes.site import Answer, Site
from twin_crawler.adapters.http_fetcher import HttpFetcher
from twin_crawler.adapters.http_wire import USER_AGENT, Limits
from twin_crawler.address import AddressPolicy
from twin_crawler.errors import FetchFailed, FetchRefused, Interrupted, Reason
from twin_crawler.ports import HTML

PUBLIC = "93.184.216.34"


class Patience:
    """Waiting that takes no time: it turns the clock and remembers."""

    def __init__(self) -> None:
        self.clock = SettableClock()
        self.waited: list[float] = []

    def __call__(self, seconds: float) -> None:
        if seconds:  # 0 only asks whether to go on
            self.waited.append(seconds)
        self.clock.turn(timedelta(seconds=seconds))


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as site:
        yield site


@pytest.fixture
def patience() -> Patience:
    return Patience()


@pytest.fixture
def fetcher(site: Site, patience: Patience) -> Iterator[HttpFetcher]:
    with HttpFetcher(AddressPolicy(site.allow), clock=patience.clock, wait=patience) as fetcher:
        yield fetcher


class Wire(httpx.BaseTransport):
    """A network that answers by a function of the request and remembers what was asked of which address."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self._answer = answer
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(404) if request.url.path == "/robots.txt" else self._answer(request)


def test_a_page_comes_with_what_its_site_says_of_it(site: Site, fetcher: HttpFetcher) -> None:
    url = site.page("/a", "<p>Grüße", etag='"v1"', last_modified="Sat, 01 Mar 2025 12:00:00 GMT")

    fetched = fetcher.fetch(url, accept=HTML)

    assert (fetched.url, fetched.status, fetched.body) == (url, 200, "<p>Grüße".encode())
    assert (fetched.media_type, fetched.charset) == ("text/html", "utf-8")
    assert (fetched.etag, fetched.last_modified) == ('"v1"', "Sat, 01 Mar 2025 12:00:00 GMT")


@pytest.mark.parametrize("known", [{"etag": '"v1"'}, {"last_modified": "Sat, 01 Mar 2025 12:00:00 GMT"}])
def test_what_is_known_and_unchanged_is_not_sent_again(site: Site, fetcher: HttpFetcher, known: dict[str, str]) -> None:
    url = site.page("/a", "<p>text", **known)

    fetched = fetcher.fetch(url, etag=known.get("etag"), last_modified=known.get("last_modified"))

    assert fetched.not_modified
    assert fetched.body == b""


def test_every_request_says_who_asks(site: Site, fetcher: HttpFetcher) -> None:
    fetcher.fetch(site.page("/a", "text"))

    assert [asked.headers["user-agent"] for asked in site.asked] == [USER_AGENT, USER_AGENT]


def test_redirects_are_followed_and_the_last_place_is_told(site: Site, fetcher: HttpFetcher) -> None:
    site.page("/new place", "there")
    site.page("/new%20place", "there")
    site.redirect("/older", "/old", 301)

    fetched = fetcher.fetch(site.redirect("/old", "new place"))

    assert (fetched.url, fetched.body) == (f"{site.url}/new%20place", b"there")


def test_a_disallowed_page_is_not_asked_for(site: Site, fetcher: HttpFetcher) -> None:
    site.robots("User-agent: *\nDisallow: /private/\n")

    with pytest.raises(FetchRefused) as refused:
        fetcher.fetch(site.page("/private/a", "text"))

    assert refused.value.reason is Reason.ROBOTS
    assert site.paths() == []


def test_a_rule_for_us_by_name_wins(site: Site, fetcher: HttpFetcher) -> None:
    site.robots("User-agent: *\nDisallow: /\n\nUser-agent: llm-twin\nDisallow:\n")

    assert fetcher.fetch(site.page("/a", "text")).body == b"text"


def test_a_redirect_into_a_disallowed_place_is_not_followed(site: Site, fetcher: HttpFetcher) -> None:
    site.robots("User-agent: *\nDisallow: /private\n")
    site.page("/private", "text")

    with pytest.raises(FetchRefused, match=r"robots\.txt"):
        fetcher.fetch(site.redirect("/open", "/private"))

    assert site.paths() == ["/open"]


def test_robots_txt_is_asked_for_once_an_hour(site: Site, fetcher: HttpFetcher, patience: Patience) -> None:
    url = site.page("/a", "text")
    fetcher.fetch(url)
    fetcher.fetch(url)
    patience.clock.turn(timedelta(hours=1, seconds=1))

    fetcher.fetch(url)

    assert [asked.path for asked in site.asked] == ["/robots.txt", "/a", "/a", "/robots.txt", "/a"]


def test_nothing_is_fetched_while_robots_txt_cannot_be_read(site: Site, fetcher: HttpFetcher) -> None:
    site.answer("/robots.txt", Answer(status=503))

    with pytest.raises(FetchFailed, match="503 Service Unavailable"):
        fetcher.fetch(site.page("/a", "text"))

    assert site.paths() == []


def test_a_robots_txt_that_would_take_minutes_to_read_forbids_nothing(site: Site, fetcher: HttpFetcher) -> None:
    site.robots("User-agent: a\n" * 15_000 + "Disallow: /\n" * 20_000)

    assert fetcher.fetch(site.page("/a", "text")).body == b"text"


def test_a_crawl_delay_is_kept_up_to_a_bound(site: Site, fetcher: HttpFetcher, patience: Patience) -> None:
    site.robots("User-agent: *\nCrawl-delay: 7\n")
    url = site.page("/a", "text")
    fetcher.fetch(url)
    fetcher.fetch(url)
    site.robots("User-agent: *\nCrawl-delay: 86400\n")
    patience.clock.turn(timedelta(hours=2))

    fetcher.fetch(url)
    fetcher.fetch(url)

    assert patience.waited == [7.0, 30.0]


def test_a_host_is_asked_one_thing_at_a_time(site: Site, fetcher: HttpFetcher) -> None:
    answering: list[str] = []
    at_once: list[int] = []

    def counted() -> Iterator[bytes]:
        answering.append("an answer")
        yield b"text" * 1000
        at_once.append(len(answering))
        answering.pop()
        yield b"the end"

    urls = [site.answer(f"/{number}", Answer(counted, headers={"Content-Type": HTML_TYPE})) for number in range(8)]
    threads = [threading.Thread(target=fetcher.fetch, args=(url,)) for url in urls]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(set(site.paths())) == [f"/{number}" for number in range(8)]
    assert at_once == [1] * 8


@pytest.mark.parametrize(
    ("retry_after", "waited"),
    [("5", [5.0]), ("Sat, 01 Mar 2025 12:00:09 GMT", [8.9]), ("soon", [1.0]), ("Sat, 01 Mar 2020 12:00:00 GMT", [])],
)
def test_a_busy_site_is_asked_again_when_it_says(
    site: Site, fetcher: HttpFetcher, patience: Patience, retry_after: str, waited: list[float]
) -> None:
    busy = Answer(status=429, headers={"Retry-After": retry_after})
    url = site.answer("/a", busy, Answer(b"text", headers={"Content-Type": HTML_TYPE}))

    assert fetcher.fetch(url).body == b"text"
    assert patience.waited == pytest.approx(waited, abs=0.1)


def test_who_asks_for_too_much_patience_is_left_for_later(site: Site, fetcher: HttpFetcher, patience: Patience) -> None:
    url = site.answer("/a", Answer(status=503, headers={"Retry-After": "7200"}))

    with pytest.raises(FetchFailed, match="7,200 s") as failed:
        fetcher.fetch(url)

    assert failed.value.retry_after == 7200.0
    assert patience.waited == []


def test_patience_ends_after_four_attempts(site: Site, fetcher: HttpFetcher, patience: Patience) -> None:
    with pytest.raises(FetchFailed, match="500 Internal Server Error"):
        fetcher.fetch(site.answer("/a", Answer(status=500)))

    assert site.paths() == ["/a"] * 4
    assert patience.waited == [1.0, 2.0, 4.0]


def test_a_broken_answer_is_asked_for_again(site: Site, fetcher: HttpFetcher) -> None:
    broken = Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    assert fetcher.fetch(site.answer("/a", broken, Answer(b"whole"))).body == b"whole"


def test_another_media_type_is_refused_before_its_body_is_read(site: Site, fetcher: HttpFetcher) -> None:
    with pytest.raises(FetchRefused) as refused:
        fetcher.fetch(site.page("/a", "x" * 50_000_000, "video/mp4"), accept=HTML)

    assert refused.value.reason is Reason.MEDIA_TYPE


def test_the_connection_goes_to_the_checked_address_under_the_hosts_name() -> None:
    wire = Wire(lambda _: httpx.Response(200, stream=httpx.ByteStream(b"text")))

    with HttpFetcher(AddressPolicy("", lambda _: [PUBLIC]), transport=wire) as fetcher:
        fetched = fetcher.fetch("https://blog.example/a?b=c")

    page = wire.requests[-1]
    assert str(page.url) == f"https://{PUBLIC}/a?b=c"
    assert page.headers["host"] == "blog.example"
    assert page.extensions["sni_hostname"] == "blog.example"
    assert fetched.url == "https://blog.example/a?b=c"


def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host != PUBLIC:
            message = "unreachable"
            raise httpx.ConnectError(message)
        return httpx.Response(200, stream=httpx.ByteStream(b"text"))

    policy = AddressPolicy("", lambda _: ["2606:4700::1111", PUBLIC])

    with HttpFetcher(policy, transport=Wire(answer)) as fetcher:
        assert fetcher.fetch("https://blog.example/a").body == b"text"


def test_a_cookie_is_never_sent_back() -> None:
    wire = Wire(lambda _: httpx.Response(200, headers={"Set-Cookie": "id=1"}, stream=httpx.ByteStream(b"text")))

    with HttpFetcher(AddressPolicy("", lambda _: [PUBLIC]), transport=wire) as fetcher:
        fetcher.fetch("https://blog.example/a")
        fetcher.fetch("https://blog.example/a")

    assert all("cookie" not in request.headers for request in wire.requests)


def test_a_stored_etag_cannot_smuggle_a_header(site: Site, fetcher: HttpFetcher) -> None:
    fetcher.fetch(site.page("/a", "text"), etag='"v1"\r\nX-Evil: 1')

    assert "if-none-match" not in site.asked[-1].headers


def test_waiting_can_be_ended(site: Site) -> None:
    class Stopped(Exception):
        pass

    def stop(seconds: float) -> None:
        raise Stopped

    with HttpFetcher(AddressPolicy(site.allow), wait=stop) as fetcher, pytest.raises(Stopped):
        fetcher.fetch(site.answer("/a", Answer(status=503)))


def test_a_slow_page_is_given_up_in_time(site: Site, patience: Patience) -> None:
    with (
        HttpFetcher(AddressPolicy(site.allow), Limits(seconds=0.3), patience.clock, patience) as fetcher,
        pytest.raises(FetchRefused) as refused,
    ):
        fetcher.fetch(site.drip("/a"))

    assert refused.value.reason is Reason.TOO_SLOW


def test_a_page_that_drips_is_left_when_the_crawler_stops() -> None:
    stopping = threading.Event()

    def wait(_seconds: float) -> None:
        if stopping.is_set():
            raise Interrupted

    with Site() as site, HttpFetcher(AddressPolicy(site.allow), wait=wait) as fetcher:

        def drip() -> Iterator[bytes]:
            stopping.set()
            while not site.closing.wait(0.05):
                yield b" "

        url = site.answer("/drip", Answer(drip))
        with pytest.raises(Interrupted):
            fetcher.fetch(url)
