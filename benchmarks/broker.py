"""A RabbitMQ broker of our own: a private node with its own folder and ports, started, stopped and killed for real."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self
from urllib.parse import quote

import pika
from pika.exceptions import AMQPError

from benchmarks.spawn import Spawner, free_port, wait_until
from twin_contracts.queues import EXCHANGE, queues_of

PROGRAM = "RABBITMQ_SERVER"
"""Names the program, where it is neither on the PATH nor where Debian puts it."""
DEBIAN = Path("/usr/lib/rabbitmq/bin")
"""Its programs run as any user, which those on the PATH refuse."""
USER, PASSWORD = "twin", "a password of 12 % & / more"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
CONSUMER_TIMEOUT_MILLISECONDS = 3 * 3600 * 1000
NONE = f"no RabbitMQ: install rabbitmq-server, or set {PROGRAM} to one"

_CONFIG = """
default_user = {user}
default_pass = {password}
consumer_timeout = {consumer_timeout}
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.absolute = 1GB
log.file.level = warning
"""
_BECOME = "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"


def program() -> str | None:
    """Return the server to start, None where there is none."""
    return (
        os.environ.get(PROGRAM) or shutil.which("rabbitmq-server", path=str(DEBIAN)) or shutil.which("rabbitmq-server")
    )


@dataclass
class Broker:
    """One node. It dies with this process, however that ends; its folder stays its owner's."""

    folder: Path
    config: str = ""
    """More lines of rabbitmq.conf."""
    port: int = field(default_factory=free_port)
    tls: bool = False
    _distribution_port: int = field(default_factory=free_port)
    _names_port: int = field(default_factory=free_port)
    _spawner: Spawner = field(default_factory=Spawner)
    _names: subprocess.Popen[bytes] | None = None
    _node: subprocess.Popen[bytes] | None = None

    def url(self, vhost: str = "/", *, password: str = PASSWORD, port: int | None = None) -> str:
        """Return the URL of one of its virtual hosts; `port` is a proxy's in front of it."""
        scheme = "amqps" if self.tls else "amqp"
        secret, path = quote(password, safe=""), quote(vhost, safe="")
        return f"{scheme}://{USER}:{secret}@localhost:{port or self.port}/{path}"

    def start(self) -> Self:
        """Start it on its folder, again where it has ended, and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        listener = "listeners.ssl" if self.tls else "listeners.tcp"
        own = f"{listener}.default = 127.0.0.1:{self.port}\n" + ("listeners.tcp = none\n" if self.tls else "")
        common = _CONFIG.format(user=USER, password=PASSWORD, consumer_timeout=CONSUMER_TIMEOUT_MILLISECONDS)
        (self.folder / "rabbitmq.conf").write_text(own + common + self.config, "utf-8")
        (self.folder / "enabled_plugins").write_text("[].\n", "utf-8")
        if self._names is None or self._names.poll() is not None:
            epmd = shutil.which("epmd") or "epmd"
            self._names = self._start(epmd, "-port", str(self._names_port), "-address", "127.0.0.1", log="epmd.log")
        self._node = self._start(program() or "rabbitmq-server", log="output.log")
        wait_until(self._answers, START_SECONDS, lambda: f"the broker does not answer:\n{self.said()}")
        return self

    @property
    def pid(self) -> int:
        """Return the node's process id."""
        return self._running.pid

    @property
    def alive(self) -> bool:
        """Return whether it runs, stopped in mid-air or not."""
        return self._node is not None and self._node.poll() is None

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._running.kill()
        self._running.wait(STOP_SECONDS)

    def stop(self) -> None:
        """SIGTERM, which lets it end in order."""
        self._running.terminate()
        try:
            self._running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def restart(self) -> None:
        """Stop it in order and start it again."""
        self.stop()
        self.start()

    def hold(self) -> None:
        """SIGSTOP: connections stay and nobody answers."""
        self._running.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._running.send_signal(signal.SIGCONT)

    def control(self, *arguments: str) -> str:
        """Run `rabbitmqctl` (a second or two) and return what it says; raises where it fails."""
        beside = Path(program() or "").parent / "rabbitmqctl"
        command = [str(beside) if beside.exists() else "rabbitmqctl", "--quiet", "--node", self._name, *arguments]
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=False, timeout=60)
        if done.returncode:
            message = f"rabbitmqctl {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}"
            raise RuntimeError(message)
        return done.stdout

    def add_vhost(self, name: str) -> str:
        """Make a virtual host, as good as a broker of its own, and return its URL."""
        self.control("add_vhost", name)
        self.control("set_permissions", "--vhost", name, USER, ".*", ".*", ".*")
        return self.url(name)

    def raise_alarm(self) -> None:
        """Raise the memory alarm: it takes nothing from who publishes."""
        self.control("set_vm_memory_high_watermark", "0.0000001")

    def clear_alarm(self) -> None:
        """Clear it."""
        self.control("set_vm_memory_high_watermark", "absolute", "1GB")

    def connect(self, vhost: str = "/") -> pika.BlockingConnection:
        """Return a connection of one's own, for what an operator or a foreign program would do."""
        return pika.BlockingConnection(pika.URLParameters(self.url(vhost)))

    def wipe(self, partitions: int = 16) -> None:
        """Delete the log of the virtual host `/`: faster than a virtual host for each test."""
        with self.connect() as connection, connection.channel() as channel:
            for queue in queues_of(partitions):
                channel.queue_delete(queue.name)
            for number in range(partitions + 1):
                channel.exchange_delete(f"{EXCHANGE}.partitions.{number}")
            channel.exchange_delete(EXCHANGE)

    def said(self) -> str:
        """Return the end of what it has logged."""
        logs = [self.folder / "output.log", *sorted((self.folder / "log").glob("*.log"))]
        return "\n".join(log.read_text("utf-8", "replace")[-2000:] for log in logs if log.exists())

    def close(self) -> None:
        """Kill what runs. Idempotent."""
        for process in (self._node, self._names):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait(STOP_SECONDS)
        self._spawner.close()

    def __enter__(self) -> Self:
        """Return the broker, started; leaving kills it."""
        return self.start()

    def __exit__(self, *exception: object) -> None:
        """Close it."""
        self.close()

    @property
    def _name(self) -> str:
        return f"twin{self.port}@localhost"

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._node is None:
            message = "the broker was never started"
            raise RuntimeError(message)
        return self._node

    def _start(self, *command: str, log: str) -> subprocess.Popen[bytes]:
        arguments = ("-ISc", _BECOME, *command)
        return self._spawner.start(arguments, self._environment(), self.folder / log)

    def _answers(self) -> bool:
        if not self.alive:
            message = f"the broker ended with {self._running.poll()}:\n{self.said()}"
            raise RuntimeError(message)
        with suppress(AMQPError, OSError), socket.create_connection(("127.0.0.1", self.port), 1.0):
            return self.tls or self._lets_in()
        return False

    def _lets_in(self) -> bool:
        self.connect().close()
        return True

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_"))}
        return inherited | {
            "HOME": str(self.folder),  # of the cookie
            "ERL_EPMD_PORT": str(self._names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2",
            "RUNNING_UNDER_SYSTEMD": "true",  # has its script become the node, so that a kill is the node's
        }


@contextmanager
def broker(config: str = "", *, tls: bool = False) -> Iterator[Broker]:
    """Yield a started broker in a folder of its own; it ends with the block."""
    with (
        TemporaryDirectory(prefix="twin-rabbitmq-", ignore_cleanup_errors=True) as folder,
        Broker(Path(folder), config, tls=tls) as started,
    ):
        yield started
