"""JSON Schemas of the contracts, for readers in other languages and for the check that no release breaks them.

`python -m twin_contracts.schemas` writes them, `--check` fails where the committed files are not what the code says.
"""

import json
import sys
from pathlib import Path
from typing import Final, TypeAlias

from pydantic import TypeAdapter

from twin_contracts.audit import AuditReport, AuditRequest
from twin_contracts.authors import AuthorList, Forgotten, Merged, MergeInput, OwnerInput
from twin_contracts.base import Contract
from twin_contracts.chat import ChatCompletion, ChatCompletionChunk, ChatRequest, Model, ModelList, OpenAIError
from twin_contracts.crawl import CrawlJob, CrawlRequest, SourcePage
from twin_contracts.documents import RAW_DOCUMENT, Raw
from twin_contracts.drafts import DraftRequest, DraftResult
from twin_contracts.embedding import EmbeddingSpec
from twin_contracts.events import CHANGE_EVENT, DocumentEvent, EventHeaders, Purge
from twin_contracts.http import (
    DocumentInput,
    DocumentOptions,
    DocumentPage,
    DocumentStatus,
    Problem,
    Readiness,
    SearchRequest,
    SearchResult,
    SystemStatus,
)
from twin_contracts.keys import KeyEntry, KeyInput, KeyList, NewKey
from twin_contracts.live import DocumentNews
from twin_contracts.records import ChunkPayload, DocumentRecord
from twin_contracts.reemission import Reemission
from twin_contracts.repair import Optimized, ParkedPage, ReemissionInput, ReemissionStatus, UnreadableDetail
from twin_contracts.style import StyleCard
from twin_contracts.training import (
    AdapterRelease,
    DatasetManifest,
    EvalReport,
    Feedback,
    InstructSample,
    PreferenceSample,
)

_MODELS: Final[tuple[type[Contract], ...]] = (
    AdapterRelease,
    AuditReport,
    AuditRequest,
    AuthorList,
    ChatCompletion,
    ChatCompletionChunk,
    ChatRequest,
    ChunkPayload,
    CrawlJob,
    CrawlRequest,
    DatasetManifest,
    DocumentInput,
    DocumentNews,
    DocumentOptions,
    DocumentPage,
    DocumentRecord,
    DocumentStatus,
    DraftRequest,
    DraftResult,
    EmbeddingSpec,
    EvalReport,
    EventHeaders,
    Feedback,
    Forgotten,
    InstructSample,
    KeyEntry,
    KeyInput,
    KeyList,
    MergeInput,
    Merged,
    Model,
    ModelList,
    NewKey,
    OpenAIError,
    Optimized,
    OwnerInput,
    ParkedPage,
    PreferenceSample,
    Problem,
    Readiness,
    Reemission,
    ReemissionInput,
    ReemissionStatus,
    SearchRequest,
    SearchResult,
    SourcePage,
    StyleCard,
    SystemStatus,
    UnreadableDetail,
)
Parser: TypeAlias = TypeAdapter[Raw] | TypeAdapter[DocumentEvent | Purge] | TypeAdapter[Contract]
CONTRACTS: Final[dict[str, Parser]] = {
    "ChangeEvent": CHANGE_EVENT,
    "RawDocument": RAW_DOCUMENT,
    **{model.__name__: TypeAdapter[Contract](model) for model in _MODELS},
}
"""What crosses a process boundary by itself; every other contract is a part of one of these."""

FOLDER = Path(__file__).parents[1] / "schemas"
"""Where the exported schemas are committed, in a checkout of the repository."""


def exported() -> dict[str, str]:
    """Return file name -> JSON Schema of each contract; the same text on every machine and in every run."""
    return {
        f"{name}.json": json.dumps(adapter.json_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        for name, adapter in CONTRACTS.items()
    }


def differences(folder: Path) -> list[str]:
    """Return the names of files in `folder` that are missing, superfluous or not what the code says."""
    committed = {path.name: path.read_text("utf-8") for path in folder.glob("*.json")}
    wanted = exported()
    return sorted(name for name in committed.keys() | wanted.keys() if committed.get(name) != wanted.get(name))


def write(folder: Path) -> None:
    """Make `folder` hold exactly the exported schemas."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in differences(folder):
        (folder / name).unlink(missing_ok=True)
    for name, schema in exported().items():
        (folder / name).write_text(schema, "utf-8")


def main(arguments: list[str]) -> int:
    """Write the schemas, or with `--check` compare; return the process's exit status."""
    if arguments != ["--check"]:
        write(FOLDER)
        return 0
    different = differences(FOLDER)
    if different:
        print(f"schemas differ from the code: {', '.join(different)}; run `make schemas` and commit", file=sys.stderr)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
