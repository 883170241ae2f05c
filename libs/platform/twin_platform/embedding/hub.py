"""Weights from the model hub: the ONNX export in the model's own repository."""

import shutil
from collections.abc import Callable
from pathlib import Path

from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import HTTPError, XetDownloadError  # type: ignore[attr-defined]  # its HTTP client's own error

from twin_contracts.embedding import EmbeddingSpec
from twin_platform.embedding.errors import SourceFailed
from twin_platform.embedding.onnx import MODEL_FILE, TOKENIZER_FILE

_FILES = {MODEL_FILE: f"onnx/{MODEL_FILE}", TOKENIZER_FILE: TOKENIZER_FILE}
"""Our name -> the repository's."""
_TIMEOUT = 5.0
"""Seconds to wait for the hub's first answer."""


class HubWeights:
    """Hugging Face's hub, at the commit that the spec names; its client shows a download's progress on a terminal.

    `HF_HUB_OFFLINE`, `HF_ENDPOINT`, `HF_TOKEN` and `HF_HOME` are honoured, since its own client is used.
    """

    name = "the model hub"

    def fetch(self, spec: EmbeddingSpec, folder: Path, say: Callable[[str], None]) -> None:
        """Put `model.onnx` and `tokenizer.json` into `folder`.

        Raises:
            SourceFailed: the hub does not answer within seconds, or has no such file.
        """
        for ours, theirs in _FILES.items():
            say(f"{theirs} of {spec.model} at {spec.revision[:8]}")
            try:
                shutil.copyfile(_download(spec, theirs), folder / ours)
            except (HTTPError, OSError, XetDownloadError) as error:
                reason = f"{theirs} of {spec.model}: {error or type(error).__name__}"
                raise SourceFailed(reason) from error


def _download(spec: EmbeddingSpec, file: str) -> str:
    cached = try_to_load_from_cache(spec.model, file, revision=spec.revision)
    if isinstance(cached, str):
        return cached
    # The client itself would try for half a minute before it says that it is offline.
    get_hf_file_metadata(hf_hub_url(spec.model, file, revision=spec.revision), timeout=_TIMEOUT)
    return hf_hub_download(spec.model, file, revision=spec.revision)
