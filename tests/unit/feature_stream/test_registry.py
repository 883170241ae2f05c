"""The table of handlers has no gap, and its hash says what it does."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from fakes.embedding import HashEmbedder
from twin_contracts.documents import DocumentType
from twin_contracts.records import Stage
from twin_feature_stream.bootstrap import build_registry
from twin_feature_stream.errors import HandlersMissing
from twin_feature_stream.ports import Handler
from twin_feature_stream.registry import HANDLED_STAGES, HandlerRegistry

PIPELINES = """
from fakes.embedding import HashEmbedder
from twin_contracts.documents import DocumentType
from twin_feature_stream.bootstrap import build_registry
registry = build_registry(HashEmbedder())
print([registry.pipeline(kind) for kind in DocumentType])
"""


@dataclass(frozen=True)
class Numbered:
    version: ClassVar[int] = 1

    number: int = 0


@dataclass(frozen=True)
class Newer(Numbered):
    version: ClassVar[int] = 2

    def __repr__(self) -> str:
        return repr(Numbered(self.number))


def table(**changed: Handler) -> dict[tuple[DocumentType, Stage], Handler]:
    return {
        (kind, stage): changed.get(f"{kind}_{stage}", Numbered()) for kind in DocumentType for stage in HANDLED_STAGES
    }


def test_a_gap_refuses_to_start_and_is_named() -> None:
    handlers = table()
    del handlers[DocumentType.CODE, Stage.CHUNK]
    del handlers[DocumentType.POST, Stage.EMBED]

    with pytest.raises(HandlersMissing, match=r"\(post, embed\), \(code, chunk\)") as caught:
        HandlerRegistry(handlers)

    assert caught.value.missing == ((DocumentType.POST, Stage.EMBED), (DocumentType.CODE, Stage.CHUNK))


def test_every_type_has_its_handlers() -> None:
    registry = build_registry(HashEmbedder())

    names = {kind: (type(registry.clean(kind)).__name__, type(registry.chunk(kind)).__name__) for kind in DocumentType}

    assert names == {
        DocumentType.POST: ("CleanPost", "ChunkProse"),
        DocumentType.ARTICLE: ("CleanArticle", "ChunkMarkdown"),
        DocumentType.CODE: ("CleanCode", "ChunkSyntaxTree"),
    }


def test_the_pipeline_is_the_same_in_every_process() -> None:
    tests = Path(__file__).parents[2]
    printed = subprocess.run(
        [sys.executable, "-c", PIPELINES], env={"PYTHONPATH": str(tests)}, capture_output=True, text=True, check=True
    ).stdout
    registry = build_registry(HashEmbedder())

    assert printed.strip() == str([registry.pipeline(kind) for kind in DocumentType])


@pytest.mark.parametrize("changed", [Numbered(1), Newer()], ids=["a setting", "a version"])
@pytest.mark.parametrize("stage", HANDLED_STAGES)
def test_a_change_of_one_handler_changes_the_pipeline_of_its_type_only(stage: Stage, changed: Handler) -> None:
    before = HandlerRegistry(table())
    after = HandlerRegistry(table(**{f"post_{stage}": changed}))

    assert after.pipeline(DocumentType.POST) != before.pipeline(DocumentType.POST)
    assert after.pipeline(DocumentType.CODE) == before.pipeline(DocumentType.CODE)


def test_another_model_is_another_pipeline() -> None:
    small, large = build_registry(HashEmbedder(dimension=384)), build_registry(HashEmbedder(dimension=768))

    assert small.pipeline(DocumentType.ARTICLE) != large.pipeline(DocumentType.ARTICLE)


def test_chunks_leave_room_for_the_models_own_tokens() -> None:
    registry = build_registry(HashEmbedder(max_tokens=64))

    assert all("max_tokens=62" in repr(registry.chunk(kind)) for kind in DocumentType)
