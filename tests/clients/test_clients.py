"""The official clients, unchanged and in an environment of their own, and every example of docs/clients.md."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.system import RunningSystem, running_system
from fakes.openai_server import Body, Script, Stub, openai_server

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PYTHON = ROOT / ".venv-clients/bin/python"
MODULES = HERE / "node_modules"
EXAMPLES = re.findall(
    r"^```(sh|python|js)\n(.*?)^```", (ROOT / "docs/clients.md").read_text(), re.MULTILINE | re.DOTALL
)
BUS = "The bus to Lund takes 40 minutes. It leaves from the old mill."
FED = "My sourdough starter is fed with rye flour."
RESTS = "The dough rests in the fridge for 18 hours."

pytestmark = pytest.mark.skipif(
    not (PYTHON.exists() and MODULES.exists()), reason="the clients are not installed; `make setup-clients` does"
)


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with openai_server() as stub:
        yield stub


@pytest.fixture(scope="module")
def system(stub: Stub) -> Iterator[RunningSystem]:
    with running_system(LLM_URL=stub.url, LLM_MODEL="stub") as system, system.client() as client:
        documents = {"sourdough": f"{FED} {RESTS}", "bus": BUS}
        for name, text in documents.items():
            given = {"title": name.title(), "author": "Maria", "url": f"https://example.org/{name}", "text": text}
            client.put(f"/v1/documents/{name}", json=given).raise_for_status()
        for name in documents:
            client.get(f"/v1/documents/{name}?wait=indexed&timeout=60").raise_for_status()
        yield system


@pytest.fixture
def writing(stub: Stub) -> None:
    """Let the model answer: with the best passage it is given, cited."""
    stub.script = write


@pytest.fixture
def failing(stub: Stub) -> None:
    """Let the model fail, so that answers are quotes."""
    stub.script = lambda _: Script(status=500)


def write(body: Body) -> Script:
    """Play a model that rewrites a follow-up, or repeats the first sentence of the first passage that fits."""
    asked = body["messages"][-1]["content"]
    if "Rewrite" in body["messages"][0]["content"]:
        return Script(("How long does the sourdough", " dough rest in the fridge?"))
    best = re.search(r"<passage 1>\n[^\n]*\n(.*?)\n</passage 1>", asked, re.DOTALL)
    assert best
    words = tuple(re.findall(r"\S+\s*", f"{best[1]} [1]"))
    return Script(words, reasoning=("Hm.",), dies_before=3 if asked.endswith("Break off.") else None)


def run(system: RunningSystem, *command: str, cwd: Path = ROOT) -> str:
    environment = {**os.environ, "TWIN_URL": system.url, "TWIN_API_KEY": system.key, "DO_NOT_TRACK": "1"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


def seen(system: RunningSystem, program: str) -> Any:  # noqa: ANN401 - what a program prints
    return json.loads(run(system, str(PYTHON), str(HERE / "programs" / program)))


@pytest.mark.parametrize(("language", "code"), EXAMPLES)
def test_every_example_of_the_documentation_works(
    system: RunningSystem, failing: None, tmp_path: Path, language: str, code: str
) -> None:
    if language == "sh":
        said = run(system, "bash", "-euo", "pipefail", "-c", code)
    elif language == "python":
        said = run(system, str(PYTHON), "-c", code)
    else:
        (tmp_path / "node_modules").symlink_to(MODULES)
        (tmp_path / "example.mjs").write_text(code)
        said = run(system, "node", "example.mjs", cwd=tmp_path)

    assert ("[1]" in said and ("rye flour" in said or "18 hours" in said)) or '"status":"indexed"' in said


@pytest.mark.parametrize("mode", ["writing", "failing"])
def test_the_openai_package_of_pypi_gets_answers_streams_and_readable_errors(
    system: RunningSystem, mode: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(mode)

    found = seen(system, "openai_streams.py")

    assert FED in found["text"]
    assert set(found["marks"]) <= {"[1]", "[2]", "[3]"}
    assert found["marks"]
    assert {"chunk", "content.delta", "content.done"} <= set(found["kinds"])
    assert (found["finish_reason"], found["total_tokens"] > 0) == ("stop", True)
    assert found["models"] == ["twin", "twin:maria"]
    assert "18 hours" in found["follow_up"]
    assert_readable(found["errors"])
    assert found["errors"]["field"][0] == "BadRequestError"
    assert "autor" in found["errors"]["field"][2]


@pytest.mark.parametrize("mode", ["writing", "failing"])
def test_the_openai_package_of_npm_gets_answers_streams_and_readable_errors(
    system: RunningSystem, mode: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(mode)

    found = json.loads(run(system, "node", str(HERE / "programs/openai_chat.mjs")))

    assert FED in found["text"]
    assert found["streamed"] == found["text"]
    assert found["marks"]
    assert set(found["marks"]) <= {"[1]", "[2]", "[3]"}
    assert (found["finish_reason"], found["total_tokens"] > 0) == ("stop", True)
    assert "18 hours" in found["follow_up"]
    assert_readable(found["errors"])


def test_a_model_that_breaks_off_is_an_error_for_the_client_and_never_a_finished_answer(
    system: RunningSystem, writing: None
) -> None:
    found = seen(system, "openai_breaks.py")

    assert FED.startswith(found["text"].strip())
    assert found["text"]
    assert set(found["reasons"]) == {None}
    assert "broke off" in found["error"]


@pytest.mark.parametrize("program", ["langchain_chat.py", "llama_index_chat.py"])
def test_frameworks_get_answers_streams_and_readable_errors(system: RunningSystem, writing: None, program: str) -> None:
    found = seen(system, program)

    assert found["text"] == found["streamed"] == f"{FED} {RESTS} [1]"
    assert found["total_tokens"] > 0
    assert "there is no model 'gpt-4'" in found["error"]


def assert_readable(errors: dict[str, list[str]]) -> None:
    assert errors["model"][:2] == ["NotFoundError", "model_not_found"]
    assert "GET /v1/models" in errors["model"][2]
    assert errors["key"][:2] == ["AuthenticationError", "invalid_api_key"]
    assert errors["choices"][0] == "BadRequestError"
    assert errors["choices"][2].startswith("n: ")
