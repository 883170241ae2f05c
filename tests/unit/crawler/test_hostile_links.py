"""Links that mean harm, or are of no use, through the whole chain: each is refused for its reason, nothing is stored.

The test's site stands on the public internet under any name but those of `NAMES`; its real address is forbidden, as
every private one is.
"""

import base64
import gzip
import zlib
from collections.abc import Callable, Iterator
from threading import Event as Flag

import httpx
import pytest

from fakes.clock import SettableClock
from fakes.documents import InMemoryDocumentStore
from fakes.records import InMemoryRecordStore
from fakes.site import HTML, Answer, Site
from twin_contracts.crawl import CrawlJob, CrawlRequest, LinkKind, LinkOutcome, LinkState
from twin_contracts.documents import AuthorRef
from twin_crawler.adapters.http_fetcher import HttpFetcher
from twin_crawler.adapters.http_wire import Limits
from twin_crawler.address import AddressPolicy
from twin_crawler.bootstrap import build_table
from twin_crawler.crawl import Crawl
from twin_crawler.errors import FetchRefused, Reason
from twin_crawler.ports import Authorship, Validators

OWNER = AuthorRef.of("Olga Owner")
PUBLIC = "93.184.216.34"
NAMES = {
    "intranet.example": ["10.0.0.5"],
    "half-private.example": [PUBLIC, "192.168.0.9"],
    "local-six.example": ["fe80::1%eth0"],
    "nowhere.example": [],
}
LIMITS = Limits(wire_bytes=200_000, body_bytes=1_000_000)
SHORT_LIMITS = Limits(seconds=0.3)
BLOG = "http://blog.example"
WORDS = "".join(f"<p>On day {day} the starter wants flour, a warm place and a patient baker.</p>" for day in range(9))
Link = str | Callable[[Site], str]


class Resolver:
    """Knows `NAMES`; calls `rebinding.example` public when it is asked for the first time, and private from then on."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        if host == "rebinding.example" and self.asked.count(host) > 1:
            return ["127.0.0.1"]
        return NAMES.get(host, [PUBLIC])


class Detour(httpx.BaseTransport):
    """The way to the one public address leads to the test's site; there is no other way."""

    def __init__(self, site: Site, wire: httpx.HTTPTransport) -> None:
        self._site, self._wire = site, wire

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert request.url.host == PUBLIC, f"{request.url} was reached"
        url = self._site.url + request.url.raw_path.decode()
        return self._wire.handle_request(
            httpx.Request(request.method, url, headers=request.headers, extensions=request.extensions)
        )


class World:
    """The crawler as it is built, over stores in memory."""

    def __init__(self, site: Site, wire: httpx.HTTPTransport) -> None:
        self.site, self.clock = site, SettableClock()
        self.documents, self.records = InMemoryDocumentStore(self.clock), InMemoryRecordStore()
        self.policy = AddressPolicy("", Resolver())
        self.transport = Detour(site, wire)

    def crawl(self, link: str, limits: Limits = LIMITS) -> tuple[Reason, LinkOutcome]:
        """Return why the link's crawler refuses it, and what the use case then makes of it."""
        with HttpFetcher(self.policy, limits, self.clock, lambda _: None, self.transport) as fetcher:
            table = build_table(fetcher, self.policy, Flag())
            with pytest.raises(FetchRefused) as refused:
                list(table.choose(link, LinkKind.AUTO).crawler(link, Authorship(OWNER), Validators()))
            crawl = Crawl(table, self.documents, self.records, self.clock, lambda: OWNER)
            job = CrawlJob.new(CrawlRequest(links=(BLOG,)), self.clock.now())
            return refused.value.reason, crawl(job, LinkOutcome(link=link), lambda _: None)


@pytest.fixture(scope="module")
def wire() -> Iterator[httpx.HTTPTransport]:
    with httpx.HTTPTransport(limits=httpx.Limits(max_keepalive_connections=0)) as wire:
        yield wire


@pytest.fixture
def world(wire: httpx.HTTPTransport) -> Iterator[World]:
    with Site() as site:
        yield World(site, wire)


def page(body: bytes | str, media_type: str = HTML, **headers: str) -> Callable[[Site], str]:
    return lambda site: _at_blog(site, site.page("/a", body, media_type, **headers))


def answer(response: Answer) -> Callable[[Site], str]:
    return lambda site: _at_blog(site, site.answer("/a", response))


def redirect(to: str) -> Callable[[Site], str]:
    return lambda site: _at_blog(site, site.redirect("/a", to))


def robots(response: Answer) -> Callable[[Site], str]:
    return lambda site: _at_blog(site, site.answer("/robots.txt", response).replace("robots.txt", "a"))


def html(title: str, body: str, head: str = "") -> Callable[[Site], str]:
    return page(f"<!doctype html><html><head><title>{title}</title>{head}</head><body>{body}</body></html>")


def _at_blog(site: Site, url: str) -> str:
    return url.replace(site.url, BLOG)


def _encoded(body: bytes, encoding: str) -> Answer:
    return Answer(body, headers={"Content-Type": HTML, "Content-Encoding": encoding})


ADDRESSES: dict[str, tuple[Link, Reason]] = {
    "no http": ("ftp://blog.example/a", Reason.SCHEME),
    "a file": ("file:///etc/passwd", Reason.SCHEME),
    "a script": ("javascript:alert(1)", Reason.SCHEME),
    "data": ("data:text/html,<p>hello", Reason.SCHEME),
    "gopher": ("gopher://blog.example:70/_GET", Reason.SCHEME),
    "no scheme": ("//blog.example/a", Reason.SCHEME),
    "no host": ("http:///a", Reason.URL),
    "a password": ("http://user:password@blog.example/a", Reason.CREDENTIALS),
    "a user that looks like the host": ("http://blog.example@127.0.0.1/", Reason.CREDENTIALS),
    "a backslash": ("http://blog.example\\@127.0.0.1/", Reason.URL),
    "a line break": ("http://blog.example/a\r\nHost: intranet.example", Reason.URL),
    "a space in the host": ("http://blog.example .evil.example/", Reason.URL),
    "port 0": ("http://blog.example:0/", Reason.URL),
    "a port above all": ("http://blog.example:65536/", Reason.URL),
    "an escaped host": ("http://127%2e0.0.1/", Reason.URL),
    "too long": (f"{BLOG}/{'a' * 5000}", Reason.URL),
    "an open bracket": ("http://[::1", Reason.URL),
    "two readings": ("http://faß.example/", Reason.URL),
    "loopback": ("http://127.0.0.1/", Reason.ADDRESS),
    "loopback with a dot at its end": ("http://127.0.0.1./", Reason.ADDRESS),
    "loopback in wide digits": ("http://１２７.０.０.１/", Reason.ADDRESS),
    "loopback with other dots": ("http://127。0。0。1/", Reason.ADDRESS),
    "one number": ("http://2130706433/", Reason.ADDRESS),
    "hexadecimal": ("http://0x7f.1/", Reason.ADDRESS),
    "octal": ("http://017700000001/", Reason.ADDRESS),
    "octal parts": ("http://0177.0.0.1/", Reason.ADDRESS),
    "short": ("http://127.1/", Reason.ADDRESS),
    "zero": ("http://0/", Reason.ADDRESS),
    "this host": ("http://0.0.0.0/", Reason.ADDRESS),
    "private": ("http://192.168.1.1/admin", Reason.ADDRESS),
    "metadata": ("http://169.254.169.254/latest/meta-data/", Reason.ADDRESS),
    "carrier": ("http://100.64.0.1/", Reason.ADDRESS),
    "multicast": ("http://224.0.0.1/", Reason.ADDRESS),
    "broadcast": ("http://255.255.255.255/", Reason.ADDRESS),
    "loopback in IPv6": ("http://[::1]/", Reason.ADDRESS),
    "IPv4 mapped": ("http://[::ffff:127.0.0.1]/", Reason.ADDRESS),
    "6to4": ("http://[2002:7f00:1::]/", Reason.ADDRESS),
    "Teredo": ("http://[2001:0:7f00:1::]/", Reason.ADDRESS),
    "NAT64": ("http://[64:ff9b::169.254.169.254]/", Reason.ADDRESS),
    "a zone": ("http://[fe80::1%25eth0]/", Reason.ADDRESS),
    "unique local": ("http://[fd00:ec2::254]/", Reason.ADDRESS),
    "a name of a private address": ("http://intranet.example/", Reason.ADDRESS),
    "a name of both": ("http://half-private.example/", Reason.ADDRESS),
    "a name of a link-local address": ("http://local-six.example/", Reason.ADDRESS),
    "a name without address": ("http://nowhere.example/", Reason.HOST),
    "rebinding": ("http://rebinding.example/a", Reason.ADDRESS),
}
ANSWERS: dict[str, tuple[Link, Reason]] = {
    "redirect to loopback": (redirect("http://127.0.0.1/"), Reason.ADDRESS),
    "redirect to metadata": (redirect("http://169.254.169.254/latest/"), Reason.ADDRESS),
    "redirect to IPv6 loopback": (redirect("//[::1]/"), Reason.ADDRESS),
    "redirect to a private name": (redirect("http://intranet.example/"), Reason.ADDRESS),
    "redirect to a rebinding name": (redirect("http://rebinding.example/b"), Reason.ADDRESS),
    "redirect to a file": (redirect("file:///etc/passwd"), Reason.SCHEME),
    "redirect to a script": (redirect("javascript:alert(1)"), Reason.SCHEME),
    "redirect with a password": (redirect("http://me:secret@blog.example/"), Reason.CREDENTIALS),
    "redirect to no URL": (redirect("http://[/"), Reason.REDIRECTS),
    "redirect in a circle": (redirect("/a"), Reason.REDIRECTS),
    "redirect to nowhere": (answer(Answer(status=302)), Reason.REDIRECTS),
    "redirect down to http": (
        lambda site: site.redirect("/a", f"{BLOG}/b").replace(site.url, "https://blog.example"),
        Reason.DOWNGRADE,
    ),
    "robots.txt that forbids": (robots(Answer(b"User-agent: *\nDisallow: /")), Reason.ROBOTS),
    "robots.txt that leads to a private address": (
        robots(Answer(status=301, headers={"Location": "http://10.0.0.5/"})),
        Reason.ADDRESS,
    ),
    "robots.txt without end": (lambda site: _at_blog(site, site.endless("/robots.txt")) + "x", Reason.TOO_LARGE),
    "gone": (answer(Answer(status=410)), Reason.GONE),
    "not there": (f"{BLOG}/none", Reason.GONE),
    "locked": (answer(Answer(status=401)), Reason.FORBIDDEN),
    "forbidden": (answer(Answer(status=403)), Reason.FORBIDDEN),
    "nothing": (answer(Answer(status=204)), Reason.STATUS),
    "a part": (answer(Answer(b"<p>part", 206, {"Content-Type": HTML})), Reason.STATUS),
    "not modified, unasked": (answer(Answer(status=304)), Reason.STATUS),
    "an unknown status": (answer(Answer(status=799)), Reason.STATUS),
    "a gzip bomb": (lambda site: _at_blog(site, site.bomb("/a", 20)), Reason.TOO_LARGE),
    "a deflate bomb": (answer(_encoded(zlib.compress(bytes(20_000_000)), "deflate")), Reason.TOO_LARGE),
    "a bomb in a bomb": (answer(_encoded(gzip.compress(gzip.compress(bytes(1000))), "gzip, gzip")), Reason.ENCODING),
    "an unknown compression": (answer(_encoded(b"\x0b\x02\x80hello\x03", "br")), Reason.ENCODING),
    "damaged gzip": (answer(_encoded(gzip.compress(WORDS.encode())[:-8] + bytes(8), "gzip")), Reason.ENCODING),
    "no gzip at all": (answer(_encoded(WORDS.encode(), "gzip")), Reason.ENCODING),
    "endless": (lambda site: _at_blog(site, site.endless("/a")), Reason.TOO_LARGE),
    "letter by letter": (lambda site: _at_blog(site, site.drip("/a")), Reason.TOO_SLOW),
    "large headers": (page(WORDS, x_long="a" * 70_000), Reason.TOO_LARGE),
    "headers without end": (answer(Answer(raw=b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 99_999)), Reason.TOO_LARGE),
    "continue, continue": (answer(Answer(raw=b"HTTP/1.1 100 Continue\r\n\r\n" * 200_000)), Reason.TOO_SLOW),
    "a picture": (page(b"\x89PNG\r\n", "image/png"), Reason.MEDIA_TYPE),
    "an archive": (page(b"PK\x03\x04", "application/zip"), Reason.MEDIA_TYPE),
    "no media type": (answer(Answer(WORDS.encode())), Reason.MEDIA_TYPE),
    "binary called HTML": (page(bytes(range(256)) * 99), Reason.NO_TEXT),
    "invalid UTF-8 throughout": (page(base64.b64decode("/v7+/v7+") * 999), Reason.NO_TEXT),
    "an empty page": (page(""), Reason.NO_TEXT),
    "navigation alone": (html("Home", "<nav><a href='/'>Home</a></nav>"), Reason.NO_TEXT),
    "elements without end": (page("<p><b>x</b></p>" * 30_000), Reason.TOO_LARGE),
    "a login": (html("Sign in | Blog", "<form>Name<input><input type='password'></form>"), Reason.BLOCK_PAGE),
    "a captcha": (html("Just a moment...", "<h1>Checking your browser</h1>"), Reason.BLOCK_PAGE),
    "JavaScript wanted": (
        html("Blog", "<div id='root'></div><noscript>You need to enable JavaScript to run this app.</noscript>"),
        Reason.BLOCK_PAGE,
    ),
    "the beginning of what is paid for": (
        html("Rye", WORDS, '<script type="application/ld+json">{"isAccessibleForFree": false}</script>'),
        Reason.BLOCK_PAGE,
    ),
}


@pytest.mark.parametrize(("link", "reason"), ADDRESSES.values(), ids=ADDRESSES)
def test_a_link_that_leads_where_no_crawler_may_go_is_refused_before_anybody_is_asked(
    world: World, link: str, reason: Reason
) -> None:
    why, outcome = world.crawl(link)

    assert why is reason
    assert outcome.state is LinkState.REFUSED
    assert outcome.reason
    assert world.documents.find() == []
    assert world.site.asked == []


@pytest.mark.parametrize(("link", "reason"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_that_means_harm_or_holds_no_text_is_refused(world: World, link: Link, reason: Reason) -> None:
    limits = SHORT_LIMITS if reason is Reason.TOO_SLOW else LIMITS

    why, outcome = world.crawl(link if isinstance(link, str) else link(world.site), limits)

    assert why is reason
    assert outcome.state is LinkState.REFUSED
    assert outcome.reason
    assert world.documents.find() == []
