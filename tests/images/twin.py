"""A running LLM Twin, as a program speaks to it that knows its URL and a key."""

import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

from images.engine import Failed

_ANSWER_SECONDS = 30
_CRAWL_SECONDS = 60


@dataclass(frozen=True)
class Twin:
    """One system."""

    url: str
    key: str

    def put(self, name: str, text: str) -> None:
        """Store a document."""
        self._ask("PUT", f"/v1/documents/{name}", {"type": "article", "title": name, "text": text})

    def await_indexed(self, name: str) -> None:
        """Wait until it is searchable."""
        status = self._ask("GET", f"/v1/documents/{name}?wait=indexed&timeout=20")["status"]
        if status != "indexed":
            message = f"document {name} is {status}"
            raise Failed(message)

    def crawl(self, link: str) -> None:
        """Have a link read, and wait until it was."""
        job = self._ask("POST", "/v1/crawls", {"links": [link]})
        end = time.monotonic() + _CRAWL_SECONDS
        while job["state"] in {"waiting", "running"} and time.monotonic() < end:
            time.sleep(0.2)
            job = self._ask("GET", f"/v1/crawls/{job['id']}")
        if job["state"] != "finished" or job["links"][0]["refused"]:
            message = f"{link} was not crawled: {job}"
            raise Failed(message)

    def answer(self, question: str, expected: str, seconds: float = 0.0) -> None:
        """Ask, once or until the time is over, and see that the answer has these words and names a source."""
        end = time.monotonic() + seconds
        while True:
            body = {"model": "twin", "messages": [{"role": "user", "content": question}]}
            message = self._ask("POST", "/v1/chat/completions", body)["choices"][0]["message"]
            if expected in message["content"] and message["annotations"]:
                return
            if time.monotonic() > end:
                failure = f"{question!r} was answered {message['content']!r}; expected {expected!r}"
                raise Failed(failure)
            time.sleep(0.2)

    def status(self) -> dict[str, Any]:
        """Return the whole status."""
        return self._ask("GET", "/v1/status")

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        request = Request(self.url + path, data, headers, method=method)  # noqa: S310 - our own URL
        try:
            with urlopen(request, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 - our own URL
                told: dict[str, Any] = json.loads(answer.read())
        except OSError as error:
            said = getattr(error, "read", bytes)().decode()
            message = f"{method} {path}: {error} {said}"
            raise Failed(message) from error
        return told
