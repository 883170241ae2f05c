"""Small Git repositories of a test's own."""

import os
import subprocess
from pathlib import Path

_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Olga",
    "GIT_AUTHOR_EMAIL": "olga@example.org",
    "GIT_COMMITTER_NAME": "Olga",
    "GIT_COMMITTER_EMAIL": "olga@example.org",
}


def git(folder: Path, *arguments: str) -> str:
    """Run git there and return what it says."""
    command = [
        "git",
        "-C",
        str(folder),
        "-c",
        "init.defaultBranch=main",
        "-c",
        "protocol.file.allow=always",
        *arguments,
    ]
    return subprocess.run(command, env=_ENVIRONMENT, check=True, capture_output=True, text=True).stdout.strip()


def commit(repository: Path, files: dict[str, str | bytes | None]) -> str:
    """Write files (None removes one) and commit everything; makes the repository where there is none."""
    if not (repository / ".git").exists():
        repository.mkdir(parents=True, exist_ok=True)
        git(repository, "init", "--quiet")
    for path, content in files.items():
        place = repository / path
        if content is None:
            place.unlink()
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
    git(repository, "add", "--all", "--force")
    git(repository, "commit", "--quiet", "--allow-empty", "-m", "change")
    return git(repository, "rev-parse", "HEAD")
