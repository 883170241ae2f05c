"""Does the system answer what the articles say, and refuse what they do not? `make eval-answers`.

`TWIN_TEST_ARTICLES` (or the first argument) names the articles' file. `TWIN_URL` and `TWIN_API_KEY` name a running
system that has imported it; without them one is started in a folder of its own and imports it. `--split calibration`
asks that half alone and writes no result: the way to fit a threshold.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from pydantic import TypeAdapter

from benchmarks.answers.scoring import Article, Count, Questions, Report, Split, count, evaluate, flaws
from benchmarks.answers.scoring import Row as Asked
from benchmarks.report import Row, report, table
from benchmarks.system import running_system
from twin_contracts.chat import ChatCompletion, ChatMessage, ChatRequest

ROOT = Path(__file__).parent
QUESTIONS = ROOT / "answers" / "questions.json"
ANSWERED_GOAL, REFUSED_GOAL = 8, 9
"""Of the ten held-out questions each."""
_ASK_TIMEOUT_SECONDS = 60.0


def measures(asked: Report) -> list[Row]:
    """Return the figures; only the held-out halves of the two main sets and the quotes have a goal."""
    held_out, calibration = Split.HELD_OUT, Split.CALIBRATION
    return [
        _measure("held-out: answered with its words", count(asked.answerable, held_out), least=ANSWERED_GOAL),
        _measure("held-out: refused", count(asked.unanswerable, held_out), least=REFUSED_GOAL),
        _measure("held-out: paraphrases answered with their words", count(asked.paraphrase, held_out)),
        _measure("calibration: answered with its words", count(asked.answerable, calibration)),
        _measure("calibration: refused", count(asked.unanswerable, calibration)),
        _measure("calibration: paraphrases answered with their words", count(asked.paraphrase, calibration)),
        _measure("answers with a quote that is not verbatim", asked.not_verbatim, most=0),
    ]


def questions_table(asked: Report) -> str:
    """Return one line per question, for a person."""
    lines = [f"{'':5} {'question':16} {'half':11} {'confidence':>10}  what came back"]
    return "\n".join(lines + [_line(row) for row in asked.rows])


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
    with _system(options.articles or _setting("TWIN_TEST_ARTICLES")) as client:
        answers = evaluate(lambda question: _ask(client, question), articles, asked)
    print(questions_table(answers))
    if options.split:
        print(table([row for row in measures(answers) if row.unit != "of 0"]))
    else:
        report("answers", measures(answers))


@contextmanager
def _system(articles: str) -> Iterator[httpx.Client]:
    """Yield a client of the system that the environment names, else of a new one that has imported the articles."""
    if url := os.environ.get("TWIN_URL"):
        headers = {"Authorization": f"Bearer {_setting('TWIN_API_KEY')}"}
        with httpx.Client(base_url=url, headers=headers, timeout=_ASK_TIMEOUT_SECONDS) as client:
            yield client
        return
    with running_system() as system:
        imported = system.twin("import", articles)
        if imported.returncode:
            sys.exit(f"the articles could not be imported: {imported.stdout}{imported.stderr}")
        with system.client() as client:
            yield client


def _ask(client: httpx.Client, question: str) -> ChatCompletion:
    request = ChatRequest(messages=(ChatMessage(role="user", content=question),))
    response = client.post("/v1/chat/completions", json=request.model_dump(mode="json"))
    return ChatCompletion.model_validate_json(response.raise_for_status().content)


def _measure(name: str, result: Count, least: int | None = None, most: int | None = None) -> Row:
    goal, met = None, None
    if least is not None:
        goal, met = f">= {least}", result.counted >= least
    elif most is not None:
        goal, met = f"<= {most}", result.counted <= most
    return Row(name, result.counted, f"of {result.of}", goal=goal, met=met)


def _line(row: Asked) -> str:
    confidence = "" if row.confidence is None else f"{row.confidence:.3f}"
    verdict = "right" if row.right else "WRONG"
    return f"{verdict:5} {row.question.id:16} {row.question.split:11} {confidence:>10}  {_what_came_back(row)}"


def _what_came_back(row: Asked) -> str:
    if not row.answered:
        return "refused"
    missing = [
        *([] if row.has_words or not row.question.answerable else ["not its words"]),
        *([] if row.cites_document or not row.question.answerable else ["another document"]),
        *([] if row.verbatim else ["not verbatim"]),
    ]
    return ", ".join(["answered", *missing])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="eval-answers", description="Count right answers and right refusals.")
    parser.add_argument("articles", nargs="?", help="JSON file of the articles; default: TWIN_TEST_ARTICLES")
    parser.add_argument("--split", choices=list(Split), help="ask one half only and write no result")
    return parser


def _setting(name: str) -> str:
    if not (value := os.environ.get(name)):
        sys.exit(f"{name} is not set; see the docstring of benchmarks/eval_answers.py")
    return value


if __name__ == "__main__":
    main(sys.argv[1:])
