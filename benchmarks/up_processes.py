"""`make up-processes`: the whole system, every service a process of its own, on what is here; Ctrl-C stops it.

Documents and records lie in SQLite or in MONGODB_URL, the log on a RabbitMQ of this folder's own or at RABBITMQ_URL,
vectors in the tests' stand-in for a Qdrant server or at QDRANT_URL. FOLDER keeps what has to last, FLOWS says how many
flows share the work. Everything else is set as `.env.example` says, in the environment or in `.env`.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

import httpx

from benchmarks import broker
from benchmarks.broker import Broker
from benchmarks.merged_log import MergedLog
from benchmarks.place import Place, Trouble, with_dotenv
from benchmarks.processes import Process
from benchmarks.spawn import Spawner

POLL_SECONDS: Final = 0.1
FIRST_BACKOFF, LAST_BACKOFF, LASTED_SECONDS = 0.5, 30.0, 60.0
SERVICES_STOP_SECONDS, STORES_STOP_SECONDS = 6.0, 3.0
_BROKER_CONFIG: Final = "log.channel.level = critical\n"
"""Each look for a queue that is not there yet would be an error in its log."""
REFUSED: Final = 3
"""Exit status of a service whose settings or store are a mistake: it has said which."""


class Kept:
    """A process that is started again when it dies, later each time that it dies early."""

    def __init__(self, process: Process) -> None:
        """Start it."""
        self.process = process.start()
        self._began = time.monotonic()
        self._again: float | None = None
        self._backoff = FIRST_BACKOFF

    def look(self) -> None:
        """Start it again where it is time to; raises `Trouble` where it refuses to work."""
        if self.process.alive:
            return
        now = time.monotonic()
        if self._again is None:
            if self.process.status == REFUSED:
                message = f"{self.process.name} refuses to start; it has said why:\n{self.process.said.strip()}"
                raise Trouble(message)
            if now - self._began > LASTED_SECONDS:
                self._backoff = FIRST_BACKOFF
            say(f"{self.process.name} has died ({self.process.status}); starting it again in {self._backoff:g} s")
            self._again, self._backoff = now + self._backoff, min(self._backoff * 2, LAST_BACKOFF)
        elif now >= self._again:
            self.process.start()
            self._began, self._again = now, None


class UpProcesses:
    """The processes of one place: stores first, then every service."""

    def __init__(self, place: Place, spawner: Spawner) -> None:
        """Prepare to start them, in a thread's processes that cannot outlive this one."""
        self._place, self._spawner = place, spawner
        self._broker: Broker | None = None
        self.kept: list[Kept] = []

    def logs(self) -> dict[str, Path]:
        """Return each process's log."""
        logs = self._place.folder / "logs"
        names = ("vectors", "cdc", "crawler", "rag-api", *self._flows())
        found = {name: logs / f"{name}.log" for name in names}
        for log in (self._place.folder / "rabbitmq" / "log").glob("*@*.log"):
            found["broker"] = log
        return found

    def start(self) -> None:
        """Start them; a store that does not come up is a `Trouble`."""
        place = self._place
        broker_port, vectors_port = place.store_ports()
        log = place.given.get("RABBITMQ_URL") or self._start_broker(broker_port)
        environment = place.environment(place.urls(log))
        if not place.given.get("QDRANT_URL"):
            where = ("--port", str(vectors_port), "--folder", str(place.folder / "vectors"))
            self._keep("vectors", environment, "standins.qdrant", *where)
        self._keep("cdc", environment, "twin_cdc")
        for index, name in enumerate(self._flows()):
            own = {"FLOW_INDEX": str(index), "FEATURE_STREAM_PORT": str(place.flow_port(index))}
            self._keep(name, environment | own, "twin_feature_stream")
        self._keep("crawler", environment, "twin_crawler")
        self._keep("rag-api", environment, "twin_rag_api")

    def look(self) -> None:
        """Start again what has died."""
        if self._broker is not None and not self._broker.alive:
            say("the broker has died; starting it again")
            self._broker.start()
        for one in self.kept:
            one.look()

    def stop(self) -> None:
        """Stop the services, then the stores; what does not within its time is killed."""
        stores = [one.process for one in self.kept if one.process.name == "vectors"]
        _stop([one.process for one in self.kept if one.process not in stores], SERVICES_STOP_SECONDS)
        if self._broker is not None and self._broker.alive:
            os.kill(self._broker.pid, signal.SIGTERM)
        end = time.monotonic() + STORES_STOP_SECONDS
        _stop(stores, STORES_STOP_SECONDS)
        if self._broker is not None:
            while self._broker.alive and time.monotonic() < end:
                time.sleep(POLL_SECONDS)
            self._broker.close()

    def _flows(self) -> Sequence[str]:
        return ["flow"] if self._place.flows == 1 else [f"flow {index}" for index in range(self._place.flows)]

    def _start_broker(self, port: int) -> str:
        if broker.program() is None:
            message = f"{broker.NONE}, or RABBITMQ_URL to a broker (on Debian: apt-get install rabbitmq-server)"
            raise Trouble(message)
        say(f"starting RabbitMQ in {self._place.folder / 'rabbitmq'}")
        self._broker = Broker(self._place.folder / "rabbitmq", _BROKER_CONFIG, port)
        try:
            self._broker.start()
        except (RuntimeError, TimeoutError) as error:
            message = f"RabbitMQ did not start: {error}"
            raise Trouble(message) from error
        return self._broker.url()

    def _keep(self, name: str, environment: dict[str, str], module: str, *arguments: str) -> None:
        log = self._place.folder / "logs" / f"{name}.log"
        self.kept.append(Kept(Process(name, ("-m", module, *arguments), environment, log, self._spawner)))


def main() -> int:
    """Run it until Ctrl-C; return the exit status."""
    _on_signals(_interrupt_once)
    with suppress(KeyboardInterrupt):
        try:
            place = Place.of(with_dotenv(os.environ))
            place.refuse_taken_ports()
            with _running(place) as processes:
                _wait_until_ready(place, processes)
                _tell(place, len(processes.kept))
                while True:
                    processes.look()
                    time.sleep(POLL_SECONDS)
        except Trouble as error:
            say(str(error))
            return 1
    return 0


def say(line: str) -> None:
    """Write a line of our own."""
    _write(f"{'up':<10} {line}")


@contextmanager
def _running(place: Place) -> Iterator[UpProcesses]:
    for log in (place.folder / "logs").glob("*.log"):
        log.write_bytes(b"")
    with ExitStack() as opened:
        spawner = Spawner()
        opened.callback(spawner.close)
        processes = UpProcesses(place, spawner)
        opened.enter_context(MergedLog(processes.logs, _write))
        opened.callback(_stop_and_say, processes)
        processes.start()
        yield processes


def _stop_and_say(processes: UpProcesses) -> None:
    _on_signals(signal.SIG_IGN)
    say("stopping")
    processes.stop()
    say("stopped")


def _stop(processes: Sequence[Process], seconds: float) -> None:
    """Have all of them end at once, within so many seconds."""
    running = [process for process in processes if process.alive]
    for process in running:
        os.kill(process.pid, signal.SIGTERM)
    end = time.monotonic() + seconds
    while any(process.alive for process in running) and time.monotonic() < end:
        time.sleep(POLL_SECONDS / 2)
    for process in running:
        if process.alive:
            say(f"{process.name} does not stop; killing it")
            process.kill()


def _wait_until_ready(place: Place, processes: UpProcesses) -> None:
    """Wait until questions are answered and every service reports; the first start fetches the embedding model."""
    while not _is_ready(place):
        processes.look()
        time.sleep(POLL_SECONDS)


def _is_ready(place: Place) -> bool:
    try:
        answer = httpx.get(f"{_url(place)}/readyz", timeout=1.0, trust_env=False)
    except httpx.TransportError:
        return False
    return answer.is_success and all(one["state"] == "ready" for one in answer.json()["components"])


def _tell(place: Place, count: int) -> None:
    url = _url(place)
    health = [f"cdc {place.port('CDC_PORT')}", *(f"flow {one} {place.flow_port(one)}" for one in range(place.flows))]
    say(f"LLM Twin is up at {url} as {count} processes beside its broker; Ctrl-C stops them")
    say(f"data: {place.folder}; the key: {place.key_file}; health and metrics on ports: {', '.join(health)}")
    say("in another terminal:")
    say(f"  export TWIN_URL={url} TWIN_API_KEY=$(cat {place.key_file})")
    say('  ./twin crawl docs && ./twin ask "What happens to vectors that cannot be read?" && ./twin status')


def _url(place: Place) -> str:
    return f"http://127.0.0.1:{place.port('RAG_API_PORT')}"


def _write(line: str) -> None:
    with suppress(OSError):  # nobody reads any more; what runs has to be stopped all the same
        print(line, flush=True)


def _on_signals(handler: object) -> None:
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, handler)  # type: ignore[arg-type]  # a handler of ours, or one of the module's own


def _interrupt_once(_signal: int, _frame: FrameType | None) -> NoReturn:
    _on_signals(signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
