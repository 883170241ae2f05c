"""The language model port, kept by its adapter over a loopback server and by the fake."""

from collections.abc import Iterator

import pytest

from contract.conformance.language_model_contract import LanguageModelContract, Scripted
from fakes.model import ScriptedModel
from fakes.openai_server import Script, openai_server
from twin_rag_api.adapters.openai_model import OpenAIModel
from twin_rag_api.ports import LanguageModel


class TestOpenAIModel(LanguageModelContract):
    @pytest.fixture
    def scripted(self) -> Iterator[Scripted]:
        with openai_server() as stub:

            def make(*words: str, breaks_after: int | None = None) -> LanguageModel:
                stub.script = lambda _: Script(words, dies_before=breaks_after)
                return OpenAIModel(stub.url, "stub", None, 3000)

            yield make


class TestScriptedModel(LanguageModelContract):
    @pytest.fixture
    def scripted(self) -> Scripted:
        def make(*words: str, breaks_after: int | None = None) -> LanguageModel:
            model = ScriptedModel(lambda _: "".join(words))
            model.fails_after = breaks_after
            return model

        return make
