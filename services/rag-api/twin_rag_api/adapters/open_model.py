"""The language model that the settings ask for, or that runs on this machine anyway."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from twin_rag_api.adapters.openai_model import OpenAIModel
from twin_rag_api.errors import ModelFailed, ModelNotChosen

OLLAMA_URL: Final = "http://127.0.0.1:11434/v1"
_LOOK_SECONDS: Final = 0.2
"""For an Ollama that nobody may have installed: it is on this machine, or it is not there."""


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which server, and which of its models."""

    url: str | None = None
    """None looks for an Ollama on its usual local port."""
    model: str | None = None
    """None takes the only one that is served."""
    key: str | None = None
    context: int = 3000
    """Tokens of a prompt; some local servers cut silently at 4,096, the answer included."""


def open_model(settings: ModelSettings, say: Callable[[str], None], ollama_url: str = OLLAMA_URL) -> OpenAIModel | None:
    """Return the model, or None where none is configured and no Ollama answers; `say` is told who writes answers.

    A configured server that does not answer yet is taken nevertheless: until it does, answers are extractive.

    Raises:
        ModelNotChosen: the configured server has several models and the settings name none.
    """
    if settings.url is None:
        return _ollama(settings, say, ollama_url)
    model = OpenAIModel(settings.url, settings.model, settings.key, settings.context)
    try:
        asyncio.run(model.choose())
        say(f"answers are written by the language model {model.name} at {model.host}")
    except ModelFailed as error:
        say(f"{error}; until it answers, answers are quotes of your documents")
    if not model.is_local:
        say(
            f"questions, their history and the passages found for them are sent to {model.host}; secrets and personal "
            "data in them are not redacted"
        )
    return model


def _ollama(settings: ModelSettings, say: Callable[[str], None], url: str) -> OpenAIModel | None:
    model = OpenAIModel(url, settings.model, None, settings.context)
    try:
        if not asyncio.run(model.served(_LOOK_SECONDS)):
            return None
        asyncio.run(model.choose(_LOOK_SECONDS))
    except ModelFailed:
        return None
    except ModelNotChosen as error:  # nobody asked for it, so it is no reason to refuse to start
        say(f"{error}; until then answers are quotes of your documents")
        return None
    say(f"answers are written by the language model {model.name} of the Ollama on this machine")
    return model
