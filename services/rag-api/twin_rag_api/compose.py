"""An answer in OpenAI's shape: text with marks, an annotation per mark, a citation per quote."""

from dataclasses import dataclass
from typing import Final

from twin_contracts.chat import Annotation, AssistantMessage, Citation, TwinAnswer, UrlCitation
from twin_rag_api.answer import Answer, Quote

REFUSAL: Final = "Nothing in these texts answers that."


@dataclass(frozen=True)
class Composed:
    """What a chat completion says."""

    message: AssistantMessage
    twin: TwinAnswer


def compose(answer: Answer, base_url: str) -> Composed:
    """Return the answer's text and citations; every annotation spans exactly its `[n]`, in code points."""
    if not answer.quotes:
        refused = TwinAnswer(answered=False, confidence=answer.confidence)
        return Composed(AssistantMessage(content=REFUSAL), refused)
    content = ""
    annotations: list[Annotation] = []
    for number, quote in enumerate(answer.quotes, start=1):
        content += ("\n\n" if content else "") + quote.text + " "
        mark = f"[{number}]"
        annotations.append(_annotation(quote, len(content), len(mark), base_url))
        content += mark
    citations = tuple(_citation(number, quote) for number, quote in enumerate(answer.quotes, start=1))
    return Composed(
        AssistantMessage(content=content, annotations=tuple(annotations)),
        TwinAnswer(answered=True, citations=citations, confidence=answer.confidence),
    )


def _annotation(quote: Quote, start: int, length: int, base_url: str) -> Annotation:
    payload = quote.passage.hit.payload
    own = f"{base_url.rstrip('/')}/v1/documents/{payload.document_id}"
    return Annotation(
        url_citation=UrlCitation(
            url=payload.metadata.url or own,
            title=payload.metadata.title or f"{payload.metadata.type} by {payload.metadata.author_name}",
            start_index=start,
            end_index=start + length,
        )
    )


def _citation(number: int, quote: Quote) -> Citation:
    payload = quote.passage.hit.payload
    return Citation(
        number=number,
        document_id=payload.document_id,
        chunk_id=quote.passage.hit.id,
        title=payload.metadata.title,
        url=payload.metadata.url,
        heading_path=payload.heading_path,
        quote=quote.text,
    )
