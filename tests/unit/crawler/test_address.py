"""Where a URL may lead, and that nothing is asked twice."""

import socket

import pytest

from twin_crawler.address import AddressPolicy, is_public, normalised
from twin_crawler.errors import FetchFailed, FetchRefused, Reason

PUBLIC = "93.184.216.34"


def policy(allow_hosts: str = "", *addresses: str) -> AddressPolicy:
    return AddressPolicy(allow_hosts, lambda _: list(addresses or (PUBLIC,)))


@pytest.mark.parametrize(
    ("url", "spelling"),
    [
        ("HTTP://Example.COM", "http://example.com/"),
        ("https://example.com:443/a#part", "https://example.com/a"),
        ("http://example.com:8080?q", "http://example.com:8080/?q"),
        ("https://example.com./a", "https://example.com/a"),
        ("https://bücher.example/ä?ö=%20", "https://xn--bcher-kva.example/%C3%A4?%C3%B6=%20"),
        ("http://[2606:4700:0:0::1111]/", "http://[2606:4700::1111]/"),
    ],
)
def test_a_url_has_one_spelling(url: str, spelling: str) -> None:
    assert normalised(url) == spelling
    assert normalised(spelling) == spelling


def test_a_name_is_resolved_once_and_every_address_is_kept() -> None:
    asked: list[str] = []

    def resolve(host: str) -> list[str]:
        asked.append(host)
        return [PUBLIC, "2606:4700::1111"]

    target = AddressPolicy("", resolve).check("https://example.com/a")

    assert target.addresses == (PUBLIC, "2606:4700::1111")
    assert asked == ["example.com"]


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    with pytest.raises(FetchRefused) as refused:
        policy("", PUBLIC, "10.0.0.7").check("https://example.com/")

    assert refused.value.reason is Reason.ADDRESS
    assert "10.0.0.7" in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.1", "10.1.2.3", "100.64.0.1", "127.255.255.254", "168.63.129.16", "169.254.169.254", "172.31.0.1",
        "192.0.0.192", "192.168.1.1", "198.19.0.1", "224.0.0.251", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::ffff:127.0.0.1", "::ffff:93.184.216.34", "::127.0.0.1", "2001:0:1::1", "2002:7f00:1::",
        "64:ff9b::10.0.0.1", "64:ff9b:1::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "ff02::1",
        "2001:db8::1", "3fff::1", "5f00::1", "100::1",
    ],
)  # fmt: skip
def test_what_is_not_on_the_public_internet_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", [PUBLIC, "2606:4700::1111", "2a00:1450:4001::8", "64:ff9b::93.184.216.34"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ("wiki.local", "http://wiki.local/a"),
        ("other.example, wiki.local", "https://wiki.local:8443/"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080/"),
        ("WIKI.local:80", "http://wiki.local/"),
        ("[::1]", "http://[::1]:9000/"),
        ("[::1]:9000", "http://[::1]:9000/"),
    ],
)
def test_an_allowed_host_may_be_anywhere(allowed: str, url: str) -> None:
    assert policy(allowed, "192.168.1.5").check(url).addresses


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8081/"),
        ("wiki.local", "http://a.wiki.local/"),
        ("wiki.local", "http://127.0.0.1/"),
        ("[::1]:80", "http://[::1]:81/"),
    ],
)
def test_an_allowed_host_allows_no_other(allowed: str, url: str) -> None:
    with pytest.raises(FetchRefused, match="not on the public internet"):
        policy(allowed, "127.0.0.1").check(url)


def test_a_refusal_says_what_to_add_where_the_host_is_ones_own() -> None:
    with pytest.raises(FetchRefused, match=r"add 'wiki\.local' to CRAWLER_ALLOW_HOSTS"):
        policy("", "192.168.1.5").check("http://wiki.local/")


def test_a_password_is_not_repeated_in_the_message() -> None:
    with pytest.raises(FetchRefused) as refused:
        policy().check("https://me:secret@example.com/")

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (socket.gaierror(socket.EAI_NONAME, "unknown"), FetchRefused),
        (socket.gaierror(socket.EAI_AGAIN, "again"), FetchFailed),
        (OSError("no network"), FetchFailed),
    ],
)
def test_an_unknown_name_is_refused_and_a_silent_resolver_tried_again(error: OSError, kind: type[Exception]) -> None:
    def resolve(host: str) -> list[str]:
        raise error

    with pytest.raises(kind):
        AddressPolicy("", resolve).check("https://example.com/")
