"""Errors of embedding."""

from twin_platform.errors import PermanentError, TransientError


class EmbeddingInterrupted(TransientError):
    """The process is stopping; what was being embedded stays unacknowledged."""

    def __init__(self) -> None:
        super().__init__("embedding was interrupted by a stop")


class WeightsUnavailable(PermanentError):
    """None of the places that the model's weights may come from had them."""

    runbook = "The embedding model cannot be had"

    def __init__(self, model: str, tried: tuple[str, ...]) -> None:
        self.model, self.tried = model, tried
        steps = "\n".join(f"  - {line}" for line in tried)
        super().__init__(
            f"the weights of {model!r} could not be had:\n{steps}\n"
            "connect this machine to the network once, or set EMBEDDING_PATH to a folder "
            "with model.onnx and tokenizer.json"
        )


class WeightsInvalid(PermanentError):
    """A folder of weights is not what it says it is."""

    runbook = "The embedding model cannot be had"

    def __init__(self, path: str, why: str) -> None:
        self.path, self.why = path, why
        super().__init__(
            f"the model in {path!r} cannot be used: {why}; let EMBEDDING_PATH name a folder with the model.onnx and "
            "tokenizer.json of a sentence-transformers model, or unset it and the default one is fetched"
        )


class SourceFailed(TransientError):
    """One place that weights may come from did not have them; the next one is tried."""
