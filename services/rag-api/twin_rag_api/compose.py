"""An answer in OpenAI's shape: text with marks, an annotation per mark, a citation per quote."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from twin_contracts.chat import Annotation, AssistantMessage, Citation, TwinAnswer, UrlCitation
from twin_contracts.records import ChunkPayload
from twin_platform.features.port import FeatureHit
from twin_rag_api.answer import Answer

REFUSAL: Final = "Nothing in these texts answers that."


@dataclass(frozen=True)
class Composed:
    """What a chat completion says."""

    message: AssistantMessage
    twin: TwinAnswer


def compose(answer: Answer, base_url: str, skipped: Sequence[str] = ()) -> Composed:
    """Return the answer's text and citations; every annotation spans exactly its `[n]`, in code points."""
    if not answer.quotes:
        refused = TwinAnswer(answered=False, skipped=tuple(skipped), confidence=answer.confidence)
        return Composed(AssistantMessage(content=REFUSAL), refused)
    content = ""
    annotations: list[Annotation] = []
    for number, quote in enumerate(answer.quotes, start=1):
        content += ("\n\n" if content else "") + quote.text + " "
        mark = f"[{number}]"
        annotations.append(annotation(quote.passage.hit.payload, len(content), len(mark), base_url))
        content += mark
    citations = tuple(
        citation(number, quote.passage.hit, quote.text) for number, quote in enumerate(answer.quotes, start=1)
    )
    twin = TwinAnswer(answered=True, citations=citations, skipped=tuple(skipped), confidence=answer.confidence)
    return Composed(AssistantMessage(content=content, annotations=tuple(annotations)), twin)


def annotation(payload: ChunkPayload, start: int, length: int, base_url: str) -> Annotation:
    """Return the annotation of a mark; a document without an address of its own is cited by ours."""
    own = f"{base_url.rstrip('/')}/v1/documents/{payload.document_id}"
    return Annotation(
        url_citation=UrlCitation(
            url=payload.metadata.url or own,
            title=payload.metadata.title or f"{payload.metadata.type} by {payload.metadata.author_name}",
            start_index=start,
            end_index=start + length,
        )
    )


def citation(number: int, hit: FeatureHit, quote: str) -> Citation:
    """Return the citation of a chunk, or of a sentence in it."""
    payload = hit.payload
    return Citation(
        number=number,
        document_id=payload.document_id,
        chunk_id=hit.id,
        title=payload.metadata.title,
        url=payload.metadata.url,
        heading_path=payload.heading_path,
        quote=quote,
    )
