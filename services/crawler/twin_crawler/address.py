"""Where a URL may lead: http and https on the public internet, and what the installation allows beside it.

A name is resolved once, every address that it has is checked, and the connection is made to a checked address: a name
that answers with a public address when it is checked and with a private one a moment later gains nothing.
"""

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NoReturn
from urllib.parse import quote, urlsplit

from twin_crawler.errors import FetchFailed, FetchRefused, Reason

Resolve = Callable[[str], list[str]]
"""Addresses of a host name, best first; raises `socket.gaierror`."""

MAX_URL = 4000
"""Characters; what a document's source can keep."""

_MAX_HOST = 253
_PORTS = {"http": 80, "https": 443}
_ODD = re.compile(r"[\x00-\x20\x7f-\xa0\\\ud800-\udfff]")
"""White space, control characters and backslashes: two programs rarely read a URL with them alike."""
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_TWO_READINGS = frozenset("ßẞς\u200c\u200d")
"""Letters that the two editions of internationalised names turn into different hosts."""

_PUBLIC_6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_NOT_PUBLIC_6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "3fff::/20",  # documentation
    )
)
_NOT_PUBLIC_4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",
        "100.64.0.0/10",  # behind a carrier's NAT
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's metadata
        "169.254.0.0/16",  # link-local, clouds' metadata
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments, a cloud's metadata
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that may be fetched, and the addresses that were checked for it."""

    scheme: str
    host: str
    """Lower-case ASCII, without brackets or a dot at its end."""
    port: int
    path: str
    """With the query: what a request names. Never empty."""
    addresses: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """Return the URL, normalised: no default port, no fragment."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def name(self) -> str:
        """Return the host as a URL has it: an IPv6 address in brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def authority(self) -> str:
        """Return host and port as the URL has them: what the `Host` header says."""
        return self.name if self.port == _PORTS[self.scheme] else f"{self.name}:{self.port}"


def resolve_by_system(host: str) -> list[str]:
    """Return what the machine's resolver says, in the order in which to try."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class AddressPolicy:
    """Decides which URLs may be fetched.

    Args:
        allow_hosts: `CRAWLER_ALLOW_HOSTS`, hosts that may be anywhere, separated by commas: `wiki.local`, or with a
            port `127.0.0.1:8080`, which allows that port alone.
    """

    def __init__(self, allow_hosts: str = "", resolve: Resolve = resolve_by_system) -> None:
        self._allowed = frozenset(allow_hosts.lower().replace(",", " ").split())
        self._resolve = resolve

    def check(self, url: str) -> Target:
        """Return the checked target of `url`.

        Raises:
            FetchRefused: it leads where a crawler must not go; the reason says which rule.
            FetchFailed: the resolver does not answer now.
        """
        target = _unchecked(url)
        addresses = tuple(self._addresses_of(url, target.host))
        if not self.allows(target):
            for address in addresses:
                if not is_public(address):
                    why = f"{target.host} is at {address}, which is not on the public internet"
                    _refuse(url, Reason.ADDRESS, f"{why}; if it is yours, add {target.name!r} to CRAWLER_ALLOW_HOSTS")
        return replace(target, addresses=addresses)

    def allows(self, target: Target) -> bool:
        """Return whether the installation names this host, or this port of it, as one that may be anywhere."""
        return not self._allowed.isdisjoint({target.name, f"{target.name}:{target.port}"})

    def _addresses_of(self, url: str, host: str) -> list[str]:
        if ":" in host or host.replace(".", "").isdigit():
            return [host]
        try:
            addresses = self._resolve(host)
        except socket.gaierror as error:
            if error.errno in (socket.EAI_AGAIN, socket.EAI_FAIL):
                raise FetchFailed(url, f"the name {host} cannot be resolved now ({error.strerror})") from error
            raise FetchRefused(url, Reason.HOST, f"there is no host {host}; check the spelling") from error
        except (OSError, UnicodeError) as error:
            raise FetchFailed(url, f"the name {host} cannot be resolved now ({error})") from error
        if not addresses:
            _refuse(url, Reason.HOST, f"{host} has no address")
        return addresses


def normalised(url: str) -> str:
    """Return the one spelling of a URL, by which a document is known: lower-case host, no default port, no fragment.

    Raises:
        FetchRefused: it is not well-formed, or neither http nor https.
    """
    return _unchecked(url).url


def is_public(address: str) -> bool:
    """Return whether an address belongs to the public internet; IPv6 forms that carry an IPv4 address do not.

    Behind NAT64 every public site has such a form, so there the address inside decides.
    """
    if ":" not in address:
        return not any(IPv4Address(address) in network for network in _NOT_PUBLIC_4)
    if "%" in address:  # a zone: link-local
        return False
    ip = IPv6Address(address)
    if ip in _NAT64:
        return is_public(str(IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip in _PUBLIC_6 and not any(ip in network for network in _NOT_PUBLIC_6)


def _unchecked(url: str) -> Target:
    """Return the target of a URL that is well-formed, without addresses."""
    if len(url) > MAX_URL:
        _refuse(url, Reason.URL, f"it has {len(url):,} characters, more than {MAX_URL:,}")
    if odd := _ODD.search(url):
        _refuse(url, Reason.URL, f"it holds {odd[0]!r}, which has no place in a URL; write it percent-encoded")
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError as error:
        raise FetchRefused(url, Reason.URL, f"it is no URL ({error})") from error
    if split.scheme not in _PORTS:
        _refuse(url, Reason.SCHEME, "only http:// and https:// are crawled")
    if "@" in split.netloc:
        _refuse(url, Reason.CREDENTIALS, "it carries a user name or password, which would be stored; remove them")
    if port == 0:
        _refuse(url, Reason.URL, "there is no port 0")
    host = _host_of(url, split.hostname or "", bracketed="[" in split.netloc)
    path = quote(split.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = "?" + quote(split.query, safe="/%:@!$&'()*+,;=~-._?[]|") if split.query else ""
    return Target(split.scheme, host, port or _PORTS[split.scheme], path + query)


def _host_of(url: str, host: str, *, bracketed: bool) -> str:
    if bracketed:
        if "%" in host:
            _refuse(url, Reason.ADDRESS, "an address with a zone is never on the public internet")
        try:
            return str(IPv6Address(host))
        except AddressValueError as error:
            raise FetchRefused(url, Reason.URL, f"its address is none ({error})") from error
    name = _ascii(url, host).removesuffix(".")
    labels = name.split(".")
    if not all(map(_LABEL.fullmatch, labels)) or len(name) > _MAX_HOST:
        _refuse(url, Reason.URL, f"{host!r} is no host name")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(name))
        except AddressValueError as error:
            why = f"{name!r} stands for an IPv4 address in a disguise; write its four decimal numbers"
            raise FetchRefused(url, Reason.ADDRESS, why) from error
    return name


def _ascii(url: str, host: str) -> str:
    if host.isascii():
        return host.lower()
    if not _TWO_READINGS.isdisjoint(host):
        _refuse(url, Reason.URL, f"the host {host!r} has two readings; write it in its ASCII form (xn--…)")
    try:
        return host.encode("idna").decode().lower()
    except UnicodeError as error:
        raise FetchRefused(url, Reason.URL, f"{host!r} is no host name ({error})") from error


def _refuse(url: str, reason: Reason, why: str) -> NoReturn:
    raise FetchRefused(url, reason, why)
