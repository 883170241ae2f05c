"""Documents made to keep a program busy: how long each is cleaned and chunked, whatever stands in it.

200 KB of each shape, as an article in Markdown, in HTML and as source, told as seconds a megabyte (the processor's, not
the clock's): what takes more than linear time stands out. What is refused with a reason counts as cleaned.
"""

import resource
import sys
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from benchmarks.report import Row, report
from twin_contracts.documents import (
    AuthorRef,
    DocumentType,
    Raw,
    RawArticle,
    RawCode,
    Source,
    TextFormat,
    document_id_of,
)
from twin_feature_stream.bootstrap import build_registry
from twin_feature_stream.ports import Rejected
from twin_feature_stream.registry import HandlerRegistry
from twin_platform.embedding.hashing import HashingEmbedder

T = TypeVar("T")

SIZE, MEGABYTE = 200_000, 1_000_000
GOAL_SECONDS = 2.0
UNITS = (
    "a", " ", "\t ", "*", "[", "](", "- ", "> ", "|", "| a | b |\n", "<", "&", "&amp;", "# ", "# a\n", "=\n", "`",
    "```\n", "!", "...", '"', "1. ", "\\", "e\u0301\u0323", "\u0315\u0300", "\u200d", "\u202e", "🙂", "👩\u200d", "漢",
    "\x80", "\r", "\u2028", "{", "}", "(", "/*", "'''", "${", "<b>", "<div>", "<ul><li>", "<pre>", "<p a='b' ", "&lt;",
    "A ", 'a!"', "function f(){", "def f():\n  ", "if(a)", "else ", "class A{", "x=1;", "#if 0\n", "\n\n- ", "\n \n",
)  # fmt: skip
AUTHOR, SOURCE = AuthorRef.of("Ada Sample"), Source(platform="bench")


def documents(unit: str) -> Iterator[tuple[str, Raw]]:
    """Yield 200 KB of the unit as every kind of document."""
    text = unit * (SIZE // len(unit.encode()))
    shared = {"id": document_id_of("hostile"), "author": AUTHOR, "source": SOURCE, "text": text}
    for text_format in (TextFormat.MARKDOWN, TextFormat.HTML):
        yield text_format, RawArticle.model_validate(shared | {"title": "Hostile", "format": text_format})
    for ending in ("js", "py", "cpp", "unknown"):
        yield ending, RawCode.model_validate(shared | {"repository": "r", "path": f"hostile.{ending}"})


def measure(registry: HandlerRegistry, document: Raw) -> tuple[float, float]:
    """Return the seconds a megabyte of cleaning and of chunking."""
    kind = DocumentType(document.type)
    clean, cleaning = _timed(lambda: registry.clean(kind)(document))
    if isinstance(clean, Rejected):
        return cleaning, 0.0
    _, chunking = _timed(lambda: registry.chunk(kind)(clean))
    return cleaning, chunking


def _timed(call: Callable[[], T]) -> tuple[T, float]:
    began = time.process_time()
    result = call()
    return result, (time.process_time() - began) * MEGABYTE / SIZE


def main() -> int:
    """Measure and report the worst of each kind."""
    registry = build_registry(HashingEmbedder())
    worst: dict[tuple[str, str], tuple[float, str]] = {}
    for unit in UNITS:
        for kind, document in documents(unit):
            for stage, seconds in zip(("clean", "chunk"), measure(registry, document), strict=True):
                worst[stage, kind] = max(worst.get((stage, kind), (0.0, "")), (seconds, repr(unit)))
    rows = [
        Row(
            f"{stage}, {kind}, worst of {len(UNITS)}: {unit}",
            seconds,
            "s per MB",
            goal=f"< {GOAL_SECONDS:g}" if stage == "clean" else None,
            met=seconds < GOAL_SECONDS if stage == "clean" else None,
        )
        for (stage, kind), (seconds, unit) in sorted(worst.items(), reverse=True)
    ]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report("hostile", [*rows, Row("memory, peak", peak, "MB")])
    return 0


if __name__ == "__main__":
    sys.exit(main())
