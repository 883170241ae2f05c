"""The fault suite's TCP proxy, in front of a server that sends back what it is sent."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from faults.proxy import Proxy

DEADLINE = 10.0


def echo(listener: socket.socket) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=echo_one, args=(connection,), daemon=True).start()


def echo_one(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        while data := connection.recv(65536):
            connection.sendall(data)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=echo, args=(listener,), daemon=True)
        thread.start()
        with Proxy(listener.getsockname()) as proxy:
            yield proxy
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(DEADLINE)


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=DEADLINE) as client:
        yield client


def received(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += client.recv(size - len(data)) or pytest.fail("closed before everything came")
    return data


def seconds_of(client: socket.socket, data: bytes) -> float:
    began = time.monotonic()
    client.sendall(data)
    assert received(client, len(data)) == data
    return time.monotonic() - began


def test_everything_passes_both_ways_and_so_does_the_end(client: socket.socket) -> None:
    data = bytes(range(256)) * 4000
    sender = threading.Thread(target=client.sendall, args=(data,))
    sender.start()

    assert received(client, len(data)) == data

    sender.join()
    client.shutdown(socket.SHUT_WR)
    assert client.recv(1) == b""


def test_latency_delays_each_way(proxy: Proxy, client: socket.socket) -> None:
    proxy.latency = 0.05

    assert seconds_of(client, b"late") >= 0.1


def test_a_slow_link_takes_its_time(proxy: Proxy, client: socket.socket) -> None:
    proxy.rate = 20_000

    assert seconds_of(client, b"s" * 4000) >= 0.15


def test_a_cut_link_says_nothing_and_delivers_after_it_is_mended(proxy: Proxy, client: socket.socket) -> None:
    proxy.cut()
    client.sendall(b"held")
    client.settimeout(0.1)
    with pytest.raises(TimeoutError):
        client.recv(4)

    proxy.mend()

    client.settimeout(DEADLINE)
    assert received(client, 4) == b"held"


def test_a_reset_breaks_what_is_connected_and_takes_new_connections(proxy: Proxy, client: socket.socket) -> None:
    seconds_of(client, b"before")

    proxy.reset()

    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=DEADLINE) as another:
        seconds_of(another, b"after")


def test_a_refused_connection_does_not_end_the_others(proxy: Proxy, client: socket.socket) -> None:
    seconds_of(client, b"before")

    proxy.refuse()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port), timeout=DEADLINE)
    seconds_of(client, b"still")
    proxy.accept()
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=DEADLINE) as another:
        seconds_of(another, b"again")


def test_a_dead_target_resets(proxy: Proxy) -> None:
    proxy.target = ("127.0.0.1", 1)

    with (
        pytest.raises(ConnectionResetError),
        socket.create_connection(("127.0.0.1", proxy.port), timeout=DEADLINE) as client,
    ):
        client.recv(1)
