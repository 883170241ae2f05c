"""The texts that benchmarks run on: the articles of TWIN_TEST_ARTICLES, else the small corpus of our own."""

import os
from pathlib import Path

from benchmarks.system import RunningSystem

CORPUS = Path(__file__).parents[1] / "tests" / "data" / "corpus"


def source() -> Path:
    """Return the file or folder that `twin import` is given."""
    articles = os.environ.get("TWIN_TEST_ARTICLES")
    return Path(articles) if articles else CORPUS


def import_texts(system: RunningSystem) -> int:
    """Import the texts into a running system, wait until they are searchable, and return how many there are."""
    done = system.twin("import", str(source()))
    if done.returncode != 0:
        message = f"twin import failed: {done.stdout}{done.stderr}"
        raise RuntimeError(message)
    return int(done.stdout.split()[0])
