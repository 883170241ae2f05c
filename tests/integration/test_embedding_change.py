"""Another embedding model over the same documents: old and new vectors never meet, and nothing stays unsearchable."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from benchmarks.ledger import Ledger
from benchmarks.oracle import Verdict
from fakes.chain import Chain
from fakes.embedding import HashEmbedder
from fakes.feature_samples import BLOG, CODE, EMBEDDER, indexed, version
from fakes.flow import post
from fakes.tiny_model import write_tiny_model
from twin_contracts.documents import RawPost
from twin_contracts.embedding import EmbeddingSpec
from twin_platform.embedding.folder import open_folder
from twin_platform.features.edge import EdgeEngine
from twin_platform.features.store import PointFeatureStore

EXACT = Verdict(lost=0, stale=0, orphans=0, unexpected=0)
OTHER = EMBEDDER.spec.model_copy(update={"id": "other-64"})


class Killed(BaseException):
    """Ends the opening where it stands."""


def searchable(chain: Chain, documents: list[RawPost]) -> bool:
    found = {hit.payload.text for hit in chain.search("a fox runs", limit=100)}
    return found == {document.text for document in documents}


def test_changing_the_model_and_changing_it_back_leaves_every_document_searchable(tmp_path: Path) -> None:
    folders = [write_tiny_model(tmp_path / name, seed) for seed, name in enumerate(("first", "second"))]
    first, second = (open_folder(folder) for folder in folders)
    documents = [post(f"fox-{number}", f"{'a ' * number}fox runs") for number in range(6)]
    gone, ledger = post("gone", "a fox"), Ledger()

    for embedder, edited in ((first, "a fox"), (second, "runs a fox"), (first, "fox fox runs")):
        with Chain(tmp_path, cast("HashEmbedder", embedder), ledger=ledger).opened() as chain, chain.running():
            documents[0] = post("fox-0", edited)
            for document in (*documents, gone):
                chain.put(document)
            chain.wait_until_quiet()
            assert searchable(chain, [*documents, gone])
            chain.delete(gone)
            chain.wait_until_quiet()

            assert searchable(chain, documents)
            assert chain.verdict() == EXACT
            (vector,) = chain.features.vectors_of([documents[0].id])[documents[0].id].values()
            assert vector == pytest.approx(embedder.embed_query(edited), abs=1e-5)


@pytest.mark.parametrize("reopened", [EMBEDDER.spec, OTHER], ids=["the old model", "the new model"])
@pytest.mark.parametrize("steps", range(6))
def test_a_change_that_was_killed_leaves_all_chunks_or_asks_for_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int, reopened: EmbeddingSpec
) -> None:
    with PointFeatureStore(EdgeEngine(tmp_path, EMBEDDER.spec)) as store:
        store.apply([indexed("essay", version(1), ["a"], BLOG), indexed("main", version(1), ["b"], CODE)])
    left = steps

    def step() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed

    replace, rename, rmtree = Path.replace, Path.rename, shutil.rmtree

    def put_in_place(move: Callable[[Path, Path], Path]) -> Callable[[Path, Path], Path]:
        def moved(path: Path, target: Path) -> Path:
            step()
            return move(path, target)

        return moved

    def remove_half(folder: Path, *, ignore_errors: bool = False) -> None:
        if not ignore_errors and left == 0:
            rmtree(folder / "segments", ignore_errors=True)
        if not ignore_errors:
            step()
        rmtree(folder, ignore_errors=ignore_errors)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", put_in_place(replace))
        patched.setattr(Path, "rename", put_in_place(rename))
        patched.setattr(shutil, "rmtree", remove_half)
        with pytest.raises(Killed):
            EdgeEngine(tmp_path, OTHER)

    with PointFeatureStore(EdgeEngine(tmp_path, reopened)) as store:
        whole = (2, False) if reopened == EMBEDDER.spec and steps == 0 else (0, True)
        assert (store.count_chunks(), store.is_empty()) == whole
