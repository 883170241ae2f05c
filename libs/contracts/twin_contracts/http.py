"""HTTP bodies of the REST API: documents, search, status, problems."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, AliasChoices, ConfigDict, Field, NonNegativeInt, StringConstraints

from twin_contracts.base import AuthorId, Contract, Digest, DocumentId, Instant, Text
from twin_contracts.documents import DocumentType, TextFormat
from twin_contracts.records import Metadata, RecordStatus, Stage

CLIENT_ID_PATTERN = r"^[A-Za-z0-9._~-]{1,200}$"


class _Request(Contract):
    """A body of our own routes: an unknown field is a mistake worth a 422."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class DocumentOptions(_Request):
    """What a client says about a document's text; the query parameters where the body is the text itself."""

    type: DocumentType = DocumentType.ARTICLE
    title: Annotated[Text, StringConstraints(max_length=1000)] | None = None
    subtitle: Annotated[Text, StringConstraints(max_length=2000)] | None = None
    author: Annotated[Text, StringConstraints(min_length=1, max_length=200)] | None = Field(
        default=None, validation_alias=AliasChoices("author", "author_full_name")
    )
    """Display name; the installation's owner where none is given."""
    url: Annotated[Text, StringConstraints(max_length=4000)] | None = Field(
        default=None, validation_alias=AliasChoices("url", "link")
    )
    platform: Annotated[Text, StringConstraints(min_length=1, max_length=100)] = "import"
    language: Annotated[Text, StringConstraints(max_length=40)] | None = None
    published_at: Instant | None = None
    repository: Annotated[Text, StringConstraints(max_length=1000)] | None = None
    path: Annotated[Text, StringConstraints(max_length=1000)] | None = None


class DocumentInput(DocumentOptions):
    """Body of `PUT /v1/documents/{id}`; the id is the URL's."""

    text: Text = Field(validation_alias=AliasChoices("text", "content"))
    format: TextFormat = TextFormat.MARKDOWN


class DocumentState(StrEnum):
    """Where a document is on its way; all but the first are its record's status."""

    PENDING = "pending"
    INDEXED = RecordStatus.INDEXED.value
    REJECTED = RecordStatus.REJECTED.value
    PARKED = RecordStatus.PARKED.value
    DELETED = RecordStatus.DELETED.value


class DocumentStatus(Contract):
    """A document as the store has it, compared by content hash with what the snapshots have."""

    document_id: DocumentId
    status: DocumentState
    content_hash: Digest | None = None
    committed_at: Instant | None = None
    title: Text | None = None
    author: AuthorId | None = None
    type: DocumentType | None = None
    platform: Text | None = None
    url: Text | None = None
    captured: bool | None = None
    """Whether its event is in the log: cdc has published all that the store had committed when this was asked, or the
    flow has applied it. None where that was not looked up: while pending, in lists and in answers to PUT and DELETE."""
    chunks: NonNegativeInt = 0
    stage: Stage | None = None
    reason: Text | None = None


class DocumentPage(Contract):
    """One page of `GET /v1/documents`; `next` is the cursor of the following page, None on the last."""

    items: tuple[DocumentStatus, ...]
    next: DocumentId | None = None


class SearchFilters(_Request):
    """Narrows retrieval; None means any."""

    author: AuthorId | None = None
    authors: Annotated[tuple[AuthorId, ...], Field(min_length=1, max_length=100)] | None = None
    """Any of these; with `author` both hold."""
    types: tuple[DocumentType, ...] | None = None
    platform: Text | None = None
    document_id: DocumentId | None = None


class SearchRequest(_Request):
    """Body of `POST /v1/search`."""

    query: Annotated[Text, AfterValidator(str.strip), StringConstraints(min_length=1, max_length=8000)]
    limit: Annotated[int, Field(ge=1, le=100)] = 10
    filters: SearchFilters = SearchFilters()


class SearchHit(Contract):
    """One chunk of a document in force."""

    document_id: DocumentId
    chunk_id: str
    position: NonNegativeInt
    heading_path: tuple[Text, ...] = ()
    text: Text
    score: float
    """Reciprocal rank fusion of dense and keyword ranks; comparable inside one result only."""
    similarity: float
    """Cosine of query and chunk, between -1 and 1; comparable over results."""
    metadata: Metadata


class SearchResult(Contract):
    """Best hits first."""

    hits: tuple[SearchHit, ...]


class RecordCounts(Contract):
    """How many documents are in which state."""

    stored: NonNegativeInt
    """Documents in the store."""
    indexed: NonNegativeInt
    rejected: NonNegativeInt
    parked: NonNegativeInt
    deleted: NonNegativeInt
    """Tombstones, kept for 30 days."""
    chunks: NonNegativeInt


class SystemStatus(Contract):
    """Body of `GET /v1/status`."""

    ready: bool
    components: tuple["ComponentStatus", ...]
    counts: RecordCounts
    waiting: NonNegativeInt | None
    """Events published and not yet acknowledged by a flow; of RabbitMQ what is ready or what flows have fetched,
    whichever is more. None where the log does not answer."""
    captured: bool
    """Whether cdc has published everything that the store has committed."""
    reemissions: NonNegativeInt
    """Requests not finished."""
    embedding: Text
    seconds_to_searchable: float | None = None
    """Commit to searchable of the last live change; None before the first."""
    chunks_embedded: NonNegativeInt = 0
    """Chunks that got a new vector since the flow's process started; without those that kept an earlier one."""


class ComponentStatus(Contract):
    """One service of this process or of another one of the system, or a store behind it."""

    name: Text
    state: Literal["ready", "starting", "degraded", "stopped"]
    detail: Text | None = None


class Readiness(Contract):
    """Body of `GET /readyz`."""

    ready: bool
    components: tuple[ComponentStatus, ...]


class Problem(Contract):
    """RFC 9457 problem details; what every route outside the OpenAI paths answers an error with."""

    type: Text = "about:blank"
    title: Text
    status: int
    detail: Text
    instance: Text | None = None
