"""The `git` program, kept from doing anything but fetching and reading: no hooks, no checkout, no other program.

A repository is read as objects (`ls-tree`, `cat-file`), never checked out: nothing that it holds becomes a file, a
link or a command of this machine.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from twin_crawler.address import Target
from twin_crawler.errors import FetchFailed, FetchRefused, Interrupted, Reason

CLONE_SECONDS = 300.0
MAX_CLONE_BYTES = 500 * 1024 * 1024
_POLL_SECONDS = 0.1
_MOST_ENTRIES = 1_000_000
"""Of a tree that people work in; a few objects can describe billions."""
_PINNING = (2, 37)
"""Since this version git can be told the address to connect to."""
_SETTINGS = (
    "protocol.allow=never",
    "http.followRedirects=false",  # where it leads was not checked
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=30",
    "credential.helper=",
    "core.askPass=",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.symlinks=false",
    "core.bigFileThreshold=1m",  # larger objects are streamed, so that none of them fills the memory
    "transfer.fsckObjects=true",
    "submodule.recurse=false",
    "gc.auto=0",
    "pack.threads=1",
    "safe.directory=*",  # reading objects runs nothing that another owner of the folder could have put there
)
_PASSING = re.compile(
    r"could not resolve|timed? ?out|connection (reset|refused)|early EOF|operation too slow"
    r"|returned error: (429|5\d\d)\b|failed to connect|hung up|unable to access.*SSL_",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a repository's tree; the path is as git has it."""

    path: str
    mode: str
    object_id: str
    size: int

    @property
    def is_file(self) -> bool:
        """Return whether it is a regular file: not a symbolic link, not a submodule."""
        return self.mode in {"100644", "100755"}


class Git:
    """Runs git with an environment of its own; nothing of the user's settings, credentials or proxies reaches it.

    Args:
        link: what messages call the repository.
        folder: an empty folder that git may use.
        protocol: the only way in which git may reach a repository, `:` between two; empty for none.
        seconds: how long all that writes to the folder may take together: fetches, and lists of what there is.
        stop: asked while git works; true ends it.
    """

    def __init__(
        self, link: str, folder: Path, protocol: str, seconds: float = CLONE_SECONDS, stop: Callable[[], bool] = bool
    ) -> None:
        program = shutil.which("git")
        if program is None:
            raise FetchFailed(link, "the program git is not installed here; install it (on Debian: apt install git)")
        self._program, self._link, self._folder, self._seconds, self._stop = program, link, folder, seconds, stop
        self._deadline = time.monotonic() + seconds
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": protocol or "none",
            "GIT_PROTOCOL_FROM_USER": "0",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_ALLOC_LIMIT": "256m",  # for one allocation: a delta can ask for any amount
        }

    def fetch(self, url: str, into: Path, target: Target | None, revision: str = "HEAD") -> None:
        """Fetch one revision of `url`, without its history, into a new bare repository.

        Args:
            target: the checked addresses that the connection is made to; None for a file URL.

        Raises:
            FetchRefused: there is no such repository, it is too large, or it is not well-formed.
            FetchFailed: it does not answer now.
        """
        pinned = () if target is None else (f"http.curloptResolve={self._pin(target)}",)
        self._run(("init", "--quiet", "--bare", "--template=", str(into)))
        options = ("--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance")
        self._run(("fetch", *options, "--", url, revision), pinned, repository=into)

    def commit(self, repository: Path, revision: str) -> str:
        """Return the full id of a revision's commit."""
        arguments = ("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
        try:
            return self._run(arguments, repository=repository).read_text("ascii").strip()
        except FetchRefused as error:
            if error.reason is not Reason.STATUS:
                raise
            raise FetchRefused(self._link, Reason.NO_TEXT, f"the repository has no commit ({error.why})") from error

    def tree(self, repository: Path, commit: str) -> Iterator[Entry]:
        """Yield every entry below a commit.

        Raises:
            FetchRefused: some of it is missing, or it has no end: a few objects can describe billions of entries.
        """
        with self._run(("ls-tree", "-r", "-z", "-l", commit), repository=repository).open("rb") as listed:
            for number, line in enumerate(_until_nul(listed)):
                if number == _MOST_ENTRIES:
                    raise FetchRefused(self._link, Reason.TOO_LARGE, f"it has more than {_MOST_ENTRIES:,} files")
                about, _, path = line.partition(b"\t")
                mode, _, object_id, size = about.decode("ascii").split()
                yield Entry(path.decode("utf-8", "replace"), mode, object_id, int(size) if size.isdigit() else 0)

    def attributed(self, repository: Path, commit: str, paths: Sequence[str]) -> set[str]:
        """Return the paths that the repository itself calls vendored or generated (`.gitattributes`)."""
        index = {"GIT_INDEX_FILE": str(self._folder / "index")}
        self._run(("read-tree", commit), repository=repository, more=index)
        arguments = ("check-attr", "--cached", "-z", "--stdin", "linguist-vendored", "linguist-generated")
        asked = self._folder / "paths"
        asked.write_bytes(b"".join(path.encode() + b"\0" for path in paths))
        with asked.open("rb") as given:
            answers = self._run(arguments, repository=repository, more=index, given=given).read_bytes().split(b"\0")
        triples = zip(answers[::3], answers[1::3], answers[2::3], strict=False)
        return {path.decode("utf-8", "replace") for path, _, value in triples if value in {b"set", b"true"}}

    def submodules(self, repository: Path, commit: str) -> dict[str, str]:
        """Return path -> URL as the commit's `.gitmodules` says, which must be there; neither of them is checked."""
        listed = self._run(("config", "--blob", f"{commit}:.gitmodules", "-z", "--list"), repository=repository)
        lines = [line.partition("\n") for line in listed.read_bytes().decode("utf-8", "replace").split("\0")]
        told: dict[tuple[str, str], str] = {}
        for key, _, value in lines:
            name, _, field = key.rpartition(".")
            told[name, field] = value
        return {
            path: told[name, "url"] for (name, field), path in told.items() if field == "path" and (name, "url") in told
        }

    def contents(self, repository: Path, entries: Sequence[Entry]) -> Iterator[tuple[Entry, bytes]]:
        """Yield each entry with its content, in order."""
        asked = self._folder / "objects"
        asked.write_text("".join(f"{entry.object_id}\n" for entry in entries), "ascii")
        with asked.open("rb") as given, self._reading(("cat-file", "--batch"), repository, given) as process:
            output = _output(process)
            for entry in entries:
                said = output.readline().decode("ascii", "replace").split()
                content = output.read(entry.size) if said == [entry.object_id, "blob", str(entry.size)] else b""
                if len(content) < entry.size or output.read(1) != b"\n":  # missing, or git could not read it
                    raise FetchRefused(self._link, Reason.NO_TEXT, f"the repository does not have {entry.path!r}")
                yield entry, content

    def _pin(self, target: Target) -> str:
        version = subprocess.run([self._program, "version"], capture_output=True, check=True).stdout  # noqa: S603 - git itself
        numbers = tuple(int(number) for number in re.findall(rb"\d+", version)[:2])
        if numbers < _PINNING:
            why = f"git {'.'.join(map(str, numbers))} cannot be held to a checked address; install git 2.37 or newer"
            raise FetchFailed(self._link, why)
        addresses = ",".join(f"[{address}]" if ":" in address else address for address in target.addresses)
        return f"{target.name}:{target.port}:{addresses}"

    def _command(self, arguments: Sequence[str], repository: Path | None, settings: Sequence[str] = ()) -> list[str]:
        configured = [word for setting in (*_SETTINGS, *settings) for word in ("-c", setting)]
        where = [] if repository is None else ["-C", str(repository)]
        return [self._program, *where, *configured, *arguments]

    def _run(
        self,
        arguments: Sequence[str],
        settings: Sequence[str] = (),
        repository: Path | None = None,
        more: dict[str, str] | None = None,
        given: IO[bytes] | None = None,
    ) -> Path:
        """Run a command to its end, unless it takes too long or writes too much; return where its output is.

        What is read from there is complete: a command that fails raises.
        """
        said, output = self._folder / "said", self._folder / "output"
        command = self._command(arguments, repository, settings)
        output.unlink(missing_ok=True)  # the one before may still be read
        with (
            said.open("wb") as errors,
            output.open("wb") as written,
            subprocess.Popen(  # noqa: S603 - arguments are a list, and what others wrote stands behind `--`
                command,
                env={**self._environment, **(more or {})},
                cwd=self._folder,
                stdin=given or subprocess.DEVNULL,
                stdout=written,
                stderr=errors,
                start_new_session=True,
            ) as process,
        ):
            try:
                self._watch(process)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        if process.returncode:
            self._refuse(said.read_bytes()[-2000:].decode("utf-8", "replace"))
        return output

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        while True:
            try:
                process.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                pass
            else:
                return
            if self._stop():
                raise Interrupted
            if time.monotonic() > self._deadline:
                raise FetchRefused(self._link, Reason.TOO_SLOW, f"it takes longer than {self._seconds:,.0f} s")
            if _bytes_below(self._folder) > MAX_CLONE_BYTES:
                raise FetchRefused(self._link, Reason.TOO_LARGE, f"it has more than {MAX_CLONE_BYTES:,} bytes")

    def _reading(self, arguments: Sequence[str], repository: Path, given: IO[bytes]) -> "_Reading":
        return _Reading(
            subprocess.Popen(  # noqa: S603 - the same
                self._command(arguments, repository),
                env=self._environment,
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        )

    def _refuse(self, said: str) -> None:
        why = " ".join(said.split()).removeprefix("fatal: ") or "git gives no reason"
        if _PASSING.search(why):
            raise FetchFailed(self._link, why)
        raise FetchRefused(self._link, Reason.STATUS, why)


class _Reading:
    """A git command whose output is read; it does not outlive the reading."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def __enter__(self) -> subprocess.Popen[bytes]:
        return self._process

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        _output(self._process).close()
        self._process.wait()


def _output(process: subprocess.Popen[bytes]) -> IO[bytes]:
    if process.stdout is None:
        message = "a command that is read has its output in a pipe"
        raise RuntimeError(message)
    return process.stdout


def _until_nul(stream: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while block := stream.read(65536):
        *lines, rest = (rest + block).split(b"\0")
        yield from lines


def _bytes_below(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(parent, name).lstat().st_size
            except OSError:  # git has just renamed it
                continue
    return total
