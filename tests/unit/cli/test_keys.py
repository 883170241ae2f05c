"""`twin keys` against any running system: shown once, stored hashed, ended by name."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import pytest

from fakes.api import KEY, Api
from twin_cli import __main__ as command
from twin_cli.client import Client
from twin_platform.records.keys import ApiKey, all_keys, create_key, find_key


class Twin:
    """The command against an API over stores in memory, with the installation's own key."""

    def __init__(self, api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.api, self.key = api, KEY
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def stored(self) -> list[ApiKey]:
        return all_keys(self.api.records)

    def __call__(self, *words: str) -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["twin", *words])
        with pytest.raises(SystemExit) as end:
            command.main()
        output = self._capsys.readouterr()
        return int(end.value.code or 0), output.out, output.err

    @contextmanager
    def connected(self, *_: object) -> Iterator[Client]:
        def answer(request: httpx.Request) -> httpx.Response:
            headers = {name: request.headers[name] for name in ("authorization", "content-type")}
            given = self.api.client.request(request.method, request.url.path, content=request.content, headers=headers)
            return httpx.Response(given.status_code, content=given.content)

        yield Client(lambda: ("http://here:1", self.key), transport=httpx.MockTransport(answer))


@pytest.fixture
def twin(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Twin:
    api = Api()
    api.clock.turn(datetime.now(UTC) - api.clock.now())  # the command says when a key ends, by its own clock
    twin = Twin(api, monkeypatch, capsys)
    monkeypatch.setattr("twin_cli.keys.connected", twin.connected)
    return twin


def test_a_key_is_printed_once_and_stored_as_a_hash(twin: Twin) -> None:
    _, text, said = twin("keys", "create", "phone", "--author", "Ada Lovelace", "--expires", "30d")

    (key,) = twin.stored()
    assert text.startswith("twin_")
    assert "the only time" in said
    assert text.strip() not in key.model_dump_json()
    assert (key.name, key.authors) == ("phone", ("ada-lovelace",))
    assert key.expires_at is not None
    assert (key.expires_at - datetime.now(UTC)).days == 29
    assert find_key(twin.api.records, text.strip()) == key
    assert find_key(twin.api.records, text.strip() + "x") is None


def test_keys_are_listed_without_their_text(twin: Twin) -> None:
    _, text, _ = twin("keys", "create", "phone")
    twin("keys", "create", "blog", "--author", "ada", "--expires", "2w")
    twin("keys", "revoke", "phone")

    _, out, _ = twin("keys", "list")

    assert text.strip() not in out
    assert "phone  revoked" in out
    assert "blog  valid until" in out
    assert "sees what is by ada" in out


def test_a_name_is_free_again_once_its_key_is_revoked(twin: Twin) -> None:
    twin("keys", "create", "phone")
    taken, _, why = twin("keys", "create", "phone")
    twin("keys", "revoke", "phone")

    free, _, _ = twin("keys", "create", "phone")

    assert (taken, free) == (1, 0)
    assert "there is a key named 'phone'; revoke it first or take another name\n" in why
    assert sorted(key.revoked_at is None for key in twin.stored()) == [False, True]  # both made at one moment


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["revoke", "phone"], "there is no valid key named 'phone'; these are valid: none\n"),
        (["create", "phone", "--expires", "soon"], "--expires takes a number with m, h, d or w behind it, like 30d"),
        (["create", "phone", "--expires", "0d"], "--expires takes a number with m, h, d or w behind it, like 30d"),
        (["create", "two words"], "name: String should match pattern"),
    ],
)
def test_a_mistake_is_one_sentence(twin: Twin, words: list[str], why: str) -> None:
    status, _, said = twin("keys", *words)

    assert status == 1
    assert why in said
    assert twin.stored() == []


def test_another_key_makes_none(twin: Twin) -> None:
    twin.key = create_key(twin.api.records, "app", twin.api.clock.now())

    status, _, said = twin("keys", "create", "phone")

    assert status == 1
    assert "404" in said
    assert [key.name for key in twin.stored()] == ["app"]
