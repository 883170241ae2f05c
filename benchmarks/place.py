"""What the processes of `make up-processes` stand on: a folder that lasts, its key, ports and the stores' URLs."""

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from dotenv import dotenv_values

from benchmarks.processes import ROOT
from benchmarks.spawn import free_port
from twin_contracts.queues import DEFAULT_PARTITIONS
from twin_platform.serving import CannotListen, listening

STORES: Final = {
    "CDC": ("documents", "records", "log"),
    "FEATURE_STREAM": ("documents", "records", "log", "features"),
    "RAG_API": ("documents", "records", "log", "features"),
    "CRAWLER": ("documents", "records"),
}
_PORTS: Final = {"RAG_API_PORT": 8787, "CRAWLER_PORT": 8788, "CDC_PORT": 8789, "FEATURE_STREAM_PORT": 8790}
"""Where nothing else is said; of several flows each has the next one."""
_OWN: Final = "this folder's own"
_HOST: Final = "127.0.0.1"


class Trouble(Exception):
    """Something that only its reader can settle, in one line."""


@dataclass(frozen=True)
class Place:
    """One installation; opening it again finds everything as it was."""

    folder: Path
    flows: int
    given: Mapping[str, str]
    """The environment of who starts it."""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Place":
        """Return the one that FOLDER and FLOWS name; raises `Trouble` where they name none."""
        flows = environment.get("FLOWS") or "1"
        partitions = environment.get("LOG_PARTITIONS") or str(DEFAULT_PARTITIONS)
        if not flows.isdigit() or not 1 <= int(flows) <= int(partitions if partitions.isdigit() else 0):
            message = f"FLOWS is {flows!r}; set it to a number from 1 to LOG_PARTITIONS, which is {partitions!r}"
            raise Trouble(message)
        place = cls(Path(environment.get("FOLDER") or ROOT / ".processes").absolute(), int(flows), environment)
        try:
            (place.folder / "logs").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"{str(place.folder)!r} cannot be used: {error.strerror}; set FOLDER to another one"
            raise Trouble(message) from error
        return place

    @property
    def key_file(self) -> Path:
        """Return where the API's key is, readable by its owner alone."""
        return self.folder / "key"

    def key(self) -> str:
        """Return the key, made at the first time."""
        if not self.key_file.exists():
            self.key_file.touch(0o600)
            self.key_file.write_text(secrets.token_urlsafe(32) + "\n", "ascii")
        return self.key_file.read_text("ascii").strip()

    def port(self, name: str) -> int:
        """Return the port that a setting names, or its default."""
        return int(self.given.get(name) or _PORTS[name])

    def store_ports(self) -> tuple[int, int]:
        """Return the ports of the broker and the vectors' server: any, but the same ones at every start."""
        remembered = self.folder / "ports.json"
        if not remembered.exists():
            remembered.write_text(json.dumps([free_port(), free_port()]), "ascii")
        broker, vectors = json.loads(remembered.read_text("ascii"))
        return int(broker), int(vectors)

    def refuse_taken_ports(self) -> None:
        """Raise `Trouble` where anybody listens where one of the processes has to."""
        broker, vectors = self.store_ports()
        wanted = {name: self.port(name) for name in _PORTS}
        for index in range(1, self.flows):
            wanted[f"FEATURE_STREAM_PORT (flow {index} takes that plus {index})"] = self.flow_port(index)
        wanted |= {} if self.given.get("RABBITMQ_URL") else {"RABBITMQ_URL": broker}
        wanted |= {} if self.given.get("QDRANT_URL") else {"QDRANT_URL": vectors}
        for name, port in wanted.items():
            try:
                with listening(_HOST, port):
                    pass
            except CannotListen as error:
                message = f"port {port} is taken ({error.why}); end what listens there, or set {name} to another one"
                raise Trouble(message) from error

    def flow_port(self, index: int) -> int:
        """Return where a flow tells how it is."""
        return self.port("FEATURE_STREAM_PORT") + index

    def urls(self, log: str) -> dict[str, str]:
        """Return the stores' URLs, the log's being `log`."""
        _, vectors = self.store_ports()
        urls = {store: f"sqlite://{self.folder}/{store}.db" for store in ("documents", "records")}
        if mongodb := self.given.get("MONGODB_URL"):
            urls = dict(_mongodb(mongodb))
        return urls | {"log": log, "features": self.given.get("QDRANT_URL") or f"http://{_HOST}:{vectors}"}

    def environment(self, urls: Mapping[str, str]) -> dict[str, str]:
        """Return what all processes are given; each reads its own part."""
        settings = {
            f"{prefix}_{store.upper()}_URL": urls[store] for prefix, stores in STORES.items() for store in stores
        }
        settings |= {name: str(self.port(name)) for name in _PORTS}
        settings |= {"RAG_API_KEY": self.key(), "CRAWLER_KEY": self.key(), "FLOW_COUNT": str(self.flows)}
        settings["PYTHONPATH"] = os.pathsep.join(
            filter(None, (str(ROOT), str(ROOT / "tests"), self.given.get("PYTHONPATH", "")))
        )
        return {**self.given, **settings}


def with_dotenv(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment, and of `.env` what it leaves unsaid: to our services an empty name is as good as none."""
    written = dotenv_values(".env", encoding="utf-8").items()
    return {**environment, **{name: value for name, value in written if value and not environment.get(name)}}


def _mongodb(url: str) -> Iterator[tuple[str, str]]:
    """Yield the two databases of a server: ours are not where documents are, whose changes are watched."""
    split = urlsplit(url)
    name = split.path.strip("/") or "twin"
    query = dict(parse_qsl(split.query))
    if "@" in split.netloc:  # which database knows the user is the URL's to say, and does not change with ours
        query.setdefault("authSource", split.path.strip("/") or "admin")
    for store, database in (("documents", name), ("records", f"{name}-records")):
        yield store, split._replace(path=f"/{database}", query=urlencode(query)).geturl()
