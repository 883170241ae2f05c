"""Does the system answer what the articles say, and refuse what they do not? `make eval-answers`.

`TWIN_TEST_ARTICLES` (or the first argument) names the articles' file; `TWIN_URL` and `TWIN_API_KEY` a running system
that has imported it. `--split calibration` asks that half alone and writes no result: the way to fit a threshold.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import httpx
from pydantic import TypeAdapter

from benchmarks.answers.scoring import Article, Count, Questions, Report, Row, Split, count, evaluate, flaws
from twin_contracts.chat import ChatCompletion, ChatMessage, ChatRequest

ROOT = Path(__file__).parent
QUESTIONS = ROOT / "answers" / "questions.json"
RESULTS = ROOT / "results" / "answers.json"
ANSWERED_GOAL, REFUSED_GOAL = 8, 9
"""Of the ten held-out questions each."""
_ASK_TIMEOUT_SECONDS = 60.0

Measure = dict[str, str | int | bool | None]


def measures(report: Report) -> list[Measure]:
    """Return the figures; only the held-out halves and the quotes have a goal."""
    held_out, calibration = Split.HELD_OUT, Split.CALIBRATION
    return [
        _measure("held-out: answered with its words", count(report.answerable, held_out), least=ANSWERED_GOAL),
        _measure("held-out: refused", count(report.unanswerable, held_out), least=REFUSED_GOAL),
        _measure("calibration: answered with its words", count(report.answerable, calibration)),
        _measure("calibration: refused", count(report.unanswerable, calibration)),
        _measure("paraphrases: answered with its words", count(report.paraphrase)),
        _measure("answers with a quote that is not verbatim", report.not_verbatim, most=0),
    ]


def table(report: Report) -> str:
    """Return one line per question and one per figure, for a person."""
    lines = [f"{'':5} {'question':16} {'half':11} {'confidence':>10}  what came back"]
    lines += [_line(row) for row in report.rows]
    lines += ["", *(_summary(measure) for measure in measures(report) if measure["unit"] != "of 0")]
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Ask, print, write; refuses to start where the questions and the articles do not fit."""
    options = _parser().parse_args(arguments)
    questions = Questions.model_validate_json(QUESTIONS.read_bytes())
    articles = TypeAdapter(list[Article]).validate_json(
        Path(options.articles or _setting("TWIN_TEST_ARTICLES")).read_bytes()
    )
    if found := flaws(articles, questions):
        sys.exit("the questions do not fit these articles:\n" + "\n".join(found))
    asked = questions.half(Split(options.split)) if options.split else questions
    headers = {"Authorization": f"Bearer {_setting('TWIN_API_KEY')}"}
    with httpx.Client(base_url=_setting("TWIN_URL"), headers=headers, timeout=_ASK_TIMEOUT_SECONDS) as client:
        report = evaluate(lambda question: _ask(client, question), articles, asked)
    print(table(report))
    if not options.split:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(measures(report), indent=2) + "\n")


def _ask(client: httpx.Client, question: str) -> ChatCompletion:
    request = ChatRequest(messages=(ChatMessage(role="user", content=question),))
    response = client.post("/v1/chat/completions", json=request.model_dump(mode="json"))
    return ChatCompletion.model_validate_json(response.raise_for_status().content)


def _measure(name: str, result: Count, least: int | None = None, most: int | None = None) -> Measure:
    goal, met = None, None
    if least is not None:
        goal, met = f">= {least}", result.counted >= least
    elif most is not None:
        goal, met = f"<= {most}", result.counted <= most
    return {
        "measure": name,
        "value": result.counted,
        "unit": f"of {result.of}",
        "against": None,
        "ratio": None,
        "goal": goal,
        "met": met,
    }


def _line(row: Row) -> str:
    confidence = "" if row.confidence is None else f"{row.confidence:.3f}"
    half = row.question.split or "paraphrase"
    return (
        f"{'right' if row.right else 'WRONG':5} {row.question.id:16} {half:11} {confidence:>10}  {_what_came_back(row)}"
    )


def _what_came_back(row: Row) -> str:
    if not row.answered:
        return "refused"
    missing = [
        *([] if row.has_words or not row.question.answerable else ["not its words"]),
        *([] if row.cites_document or not row.question.answerable else ["another document"]),
        *([] if row.verbatim else ["not verbatim"]),
    ]
    return ", ".join(["answered", *missing])


def _summary(measure: Measure) -> str:
    goal = f"  goal {measure['goal']}: {'met' if measure['met'] else 'missed'}" if measure["goal"] else ""
    return f"{measure['measure']:45} {measure['value']:>3} {measure['unit']}{goal}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="eval-answers", description="Count right answers and right refusals.")
    parser.add_argument("articles", nargs="?", help="JSON file of the articles; default: TWIN_TEST_ARTICLES")
    parser.add_argument("--split", choices=list(Split), help="ask one half only and write no result")
    return parser


def _setting(name: str) -> str:
    if not (value := os.environ.get(name)):
        sys.exit(f"{name} is not set; it takes a running system that has imported the articles, and their file")
    return value


if __name__ == "__main__":
    main(sys.argv[1:])
