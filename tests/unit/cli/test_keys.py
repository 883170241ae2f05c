"""`twin keys`: shown once, stored hashed, ended by name."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from twin_cli import __main__ as command
from twin_cli.data_folder import DataFolder
from twin_platform.records.keys import ApiKey, all_keys, find_key
from twin_platform.records.open import open_record_store


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TWIN_URL", raising=False)
    monkeypatch.setenv("TWIN_DATA", str(tmp_path / "data"))
    with DataFolder(tmp_path / "data"):
        pass


@pytest.fixture
def twin(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> "Twin":
    return Twin(monkeypatch, capsys)


class Twin:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *words: str) -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["twin", *words])
        with pytest.raises(SystemExit) as end:
            command.main()
        output = self._capsys.readouterr()
        return int(end.value.code or 0), output.out, output.err


def stored() -> list[ApiKey]:
    with open_record_store("sqlite://data/records.db") as records:
        return all_keys(records)


def test_a_key_is_printed_once_and_stored_as_a_hash(twin: Twin) -> None:
    _, text, said = twin("keys", "create", "phone", "--author", "Ada Lovelace", "--expires", "30d")

    (key,) = stored()
    assert text.startswith("twin_")
    assert "the only time" in said
    assert text.strip() not in Path("data/records.db").read_bytes().decode("latin-1")
    assert (key.name, key.authors) == ("phone", ("ada-lovelace",))
    assert key.expires_at is not None
    assert (key.expires_at - datetime.now(UTC)).days == 29
    with open_record_store("sqlite://data/records.db") as records:
        assert find_key(records, text.strip()) == key
        assert find_key(records, text.strip() + "x") is None


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
    assert why == "there is a key named 'phone'; revoke it first or take another name\n"
    assert [key.revoked_at is None for key in stored()] == [False, True]


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
    assert stored() == []


def test_a_running_system_keeps_its_folder_while_keys_are_made(twin: Twin) -> None:
    with DataFolder(Path("data")) as folder:
        folder.announce("http://127.0.0.1:1")
        status, _, _ = twin("keys", "create", "phone")

    assert status == 0
    assert len(stored()) == 1


def test_keys_belong_to_this_machine(twin: Twin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWIN_URL", "http://127.0.0.1:1")

    status, _, said = twin("keys", "list")

    assert (status, said) == (1, "twin keys works on the data folder of this machine; unset TWIN_URL\n")
