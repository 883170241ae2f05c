"""A stand-in for the Qdrant server: the part of its REST API that the adapter uses, over Qdrant Edge.

`python -m standins.qdrant --port 6333 --folder F`, with `tests` on PYTHONPATH. What it does not know, or what the real
server would refuse, is refused. What was acknowledged survives SIGKILL; SIGTERM ends it in good order. `PUT /faults`
says what it does wrong (`qdrant_faults.Fault`), `GET /faults` how many requests met that.
"""

import argparse
import json
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json, to_json
from qdrant_client import models

from standins.qdrant_engine import BAD_REQUEST, CONFLICT, NOT_FOUND, TOO_LARGE, Collection, Json, Refusal
from standins.qdrant_faults import Fault, Faults

VERSION = "1.16.3"
MOST_BYTES = 32 * 1024 * 1024
_RESET = struct.pack("ii", 1, 0)
_SERVER_ERROR = 500
_OK = 200

M = TypeVar("M", bound=BaseModel)


class Server:
    """What is stored: collections and aliases. Any number of threads."""

    def __init__(self, folder: Path, version: str, key: str | None) -> None:
        self.version, self.key = version, key
        self.faults = Faults()
        self._folder = folder
        self._lock = threading.Lock()
        self._collections: dict[str, Collection] = {}
        self._file = folder / "aliases.json"
        folder.mkdir(parents=True, exist_ok=True)
        self._aliases: dict[str, str] = json.loads(self._file.read_text()) if self._file.exists() else {}
        for held in sorted(folder.glob("*/config.json")):
            self._collections[held.parent.name] = Collection(held.parent)

    def close(self) -> None:
        """Close every collection."""
        with self._lock:
            for collection in self._collections.values():
                collection.close()

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> object:  # noqa: PLR0911 - a table of routes
        """Return the result of a request; raises `Refusal`."""
        match [method, *(unquote(part) for part in path.strip("/").split("/"))]:
            case ["GET", "collections"]:
                return {"collections": [{"name": name} for name in sorted(self._collections)]}
            case ["GET", "aliases"]:
                return {"aliases": [{"alias_name": a, "collection_name": c} for a, c in sorted(self._aliases.items())]}
            case ["POST", "collections", "aliases"]:
                return self._change_aliases(_parsed(models.ChangeAliasesOperation, body))
            case ["GET", "collections", name]:
                return self._of(name).info()
            case ["PUT", "collections", name]:
                return self._create(name, _parsed(models.CreateCollection, body))
            case ["DELETE", "collections", name]:
                return self._remove(name)
            case ["PUT", "collections", name, "index"]:
                _require_wait(query)
                return self._of(name).index(_parsed(models.CreateFieldIndex, body))
            case ["POST", "collections", name, "points", *what]:
                return self._points(name, "/".join(what), query, body)
        raise Refusal(NOT_FOUND, f"the stand-in knows no {method} {path}")

    def _points(self, name: str, what: str, query: dict[str, list[str]], body: bytes) -> object:
        collection = self._of(name)
        match what:
            case "batch":
                _require_wait(query)
                return collection.batch(_parsed(models.UpdateOperations, body))
            case "":
                return collection.retrieve(_parsed(models.PointRequest, body))
            case "scroll":
                return collection.scroll(_parsed(models.ScrollRequest, body))
            case "count":
                return collection.count(_parsed(models.CountRequest, body))
            case "query":
                return collection.query(_parsed(models.QueryRequest, body))
        raise Refusal(NOT_FOUND, f"the stand-in knows no points/{what}")

    def _of(self, name: str) -> Collection:
        collection = self._collections.get(self._aliases.get(name, name))
        if collection is None:
            raise Refusal(NOT_FOUND, f"Not found: Collection `{name}` doesn't exist!")
        return collection

    def _create(self, name: str, request: models.CreateCollection) -> bool:
        with self._lock:
            if name in self._collections:
                raise Refusal(CONFLICT, f"Wrong input: Collection `{name}` already exists!")
            self._collections[name] = Collection(self._folder / name, request)
        return True

    def _remove(self, name: str) -> bool:
        with self._lock:
            removed = self._collections.pop(name, None)
            self._keep_aliases({alias: held for alias, held in self._aliases.items() if held != name})
        if removed is not None:
            removed.remove()
        return removed is not None

    def _change_aliases(self, request: models.ChangeAliasesOperation) -> bool:
        with self._lock:
            aliases = dict(self._aliases)
            for action in request.actions:
                match action:
                    case models.DeleteAliasOperation(delete_alias=delete):
                        if aliases.pop(delete.alias_name, None) is None:
                            raise Refusal(NOT_FOUND, f"Not found: Alias {delete.alias_name} does not exists!")
                    case models.CreateAliasOperation(create_alias=create):
                        self._of(create.collection_name)
                        if create.alias_name in self._collections:
                            raise Refusal(CONFLICT, f"Wrong input: Collection `{create.alias_name}` already exists!")
                        aliases[create.alias_name] = create.collection_name
                    case _:
                        raise Refusal(BAD_REQUEST, f"unknown action: {action!r}")
            self._keep_aliases(aliases)
        return True

    def _keep_aliases(self, aliases: dict[str, str]) -> None:
        unfinished = self._file.with_suffix(".new")
        unfinished.write_text(json.dumps(aliases))
        unfinished.replace(self._file)
        self._aliases = aliases


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server_version = "stand-in"
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    held: Server

    def do_GET(self) -> None:
        self._handle()

    do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - the base class's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's names
        """Stay silent."""

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        request = f"{self.command} {parts.path}"
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = Fault() if parts.path in {"/faults", "/readyz"} else self.held.faults.of(request, body)
        time.sleep(fault.latency)
        if fault.cut == "undone":
            self._break()
        elif fault.status is not None:
            self._send(fault.status, _told(f"{fault.status} on demand"), fault)
        elif fault.poison is not None:
            self._send(BAD_REQUEST, _told("Wrong input: a point is refused on demand"), fault)
        else:
            self._send(*self._answer(parts.path, parse_qs(parts.query), body), fault)

    def _answer(self, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, Json]:  # noqa: PLR0911 - a table
        if path == "/":
            return _OK, {"title": "qdrant - vector search engine", "version": self.held.version, "commit": "stand-in"}
        if path == "/readyz":
            return _OK, {}
        if path == "/faults":
            if self.command == "PUT":
                self.held.faults.set(Fault.model_validate_json(body))
            return _OK, {"met": self.held.faults.met}
        if self.held.key is not None and self.headers.get("api-key") != self.held.key:
            return 401, _told("Must provide an API key or an Authorization bearer token")
        if len(body) > MOST_BYTES:
            return TOO_LARGE, _told(
                f"JSON payload ({len(body)} bytes) is larger than allowed (limit: {MOST_BYTES} bytes)"
            )
        try:
            return _OK, {"result": self.held.answer(self.command, path, query, body), "status": "ok", "time": 0.0}
        except Refusal as refusal:
            return refusal.status, _told(str(refusal))
        except ValidationError as error:
            return BAD_REQUEST, _told(f"Format error in JSON body: {str(error)[:300]}")
        except Exception as error:  # noqa: BLE001 - whatever Edge says, a server answers
            return _SERVER_ERROR, _told(f"Service internal error: {type(error).__name__}: {error}")

    def _send(self, status: int, answer: Json, fault: Fault) -> None:
        body = to_json(answer)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if fault.retry_after is not None:
            self.send_header("Retry-After", str(fault.retry_after))
        self.end_headers()
        if fault.cut == "halfway":
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self._break()
        else:
            self.wfile.write(body)

    def _break(self) -> None:
        """End the connection as a machine that died does."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.connection.shutdown(socket.SHUT_RD)


class _Listener(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the base class's signature
        """Stay silent about clients that went away."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def _parsed(model: type[M], body: bytes) -> M:
    try:
        return model.model_validate(from_json(body))
    except ValidationError:
        raise
    except ValueError as error:
        raise Refusal(BAD_REQUEST, f"Format error in JSON body: {error}") from error


def _require_wait(query: dict[str, list[str]]) -> None:
    if query.get("wait") != ["true"]:
        raise Refusal(BAD_REQUEST, "the stand-in takes writes with wait=true alone: ours have to wait")


def _told(why: str) -> Json:
    return {"status": {"error": why}, "time": 0.0}


def _end(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


def serve(host: str, port: int, held: Server, tell: Callable[[int], None]) -> None:
    """Serve until the process is told to end; `tell` is called with the port when it listens."""
    handler = type("BoundHandler", (Handler,), {"held": held})
    with _Listener((host, port), handler) as listener:
        tell(listener.server_address[1])
        try:
            listener.serve_forever(poll_interval=0.05)
        finally:
            held.close()


def main() -> None:
    """Read the arguments and serve."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--host", default="127.0.0.1")
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--folder", type=Path, required=True)
    arguments.add_argument("--version", default=VERSION)
    arguments.add_argument("--key")
    told = arguments.parse_args()
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)

    def say(port: int) -> None:
        sys.stdout.write(json.dumps({"event": "standin", "state": "running", "port": port}) + "\n")
        sys.stdout.flush()

    serve(told.host, told.port, Server(told.folder, told.version, told.key), say)


if __name__ == "__main__":
    main()
