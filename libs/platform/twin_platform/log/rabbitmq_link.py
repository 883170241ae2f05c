"""One connection to RabbitMQ in a thread of its own; what is said of its loss holds no credential."""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from copy import copy
from functools import partial
from threading import Lock, Thread
from typing import Any

import pika
from pika.adapters.select_connection import IOLoop, SelectConnection
from pika.adapters.utils.connection_workflow import AMQPConnectionWorkflowFailed, AMQPConnectorPhaseErrorBase
from pika.channel import Channel
from pika.exceptions import AMQPConnectionError, AMQPError, ChannelClosedByBroker, StreamLostError

from twin_platform.errors import PermanentError
from twin_platform.log.errors import LogUnavailable

HEARTBEAT_SECONDS = 15
BLOCKED_SECONDS = 60
CONNECT_SECONDS = 10
REPLY_SECONDS = 20.0
"""How long an answer is waited for; a lost connection is noticed later only where nobody waits for one."""
CLOSE_SECONDS = 2.0
"""How long a broker may take to say good-bye; one that is out of memory reads nothing."""
REFUSED, MISSING, LOCKED, MISMATCH, NOT_ALLOWED = 403, 404, 405, 406, 530
"""Reply codes of AMQP."""

Answer = Future[Any]
"""Resolves to the method a broker answered with, whose fields differ by method."""


class BadBrokerUrl(PermanentError):
    """A URL that cannot be read; never quoted, since it may hold a password."""

    runbook = "A setting is wrong"

    def __init__(self) -> None:
        super().__init__(
            "the RabbitMQ URL cannot be read; it looks like amqp://user:password@host:5672/vhost, amqps:// for TLS; "
            "a character of user, password or vhost that is neither letter nor digit is written as %2F, %40 or the like"
        )


class Broker:
    """Where the broker is, and how to get in."""

    def __init__(self, url: str) -> None:
        logging.getLogger("pika").setLevel(logging.CRITICAL)  # all it says comes as an error, too, and is told there
        try:
            self.parameters = pika.URLParameters(url)
        except (ValueError, TypeError):
            raise BadBrokerUrl from None
        if self.parameters.heartbeat is None:  # `?heartbeat=` of the URL goes before
            self.parameters.heartbeat = HEARTBEAT_SECONDS
        self.parameters.blocked_connection_timeout = BLOCKED_SECONDS
        self.parameters.connection_attempts = 1  # who uses it tries again
        self.parameters.socket_timeout = self.parameters.stack_timeout = CONNECT_SECONDS
        self.name = f"RabbitMQ at {self.parameters.host}:{self.parameters.port}"

    def parameters_of(self, connection: str) -> pika.URLParameters:
        """Return what a connection of this name is opened with; the broker's list of connections shows it."""
        parameters = copy(self.parameters)
        parameters.client_properties = {"connection_name": f"llm-twin {connection}"}
        return parameters

    def unavailable(self, error: BaseException | None) -> LogUnavailable:
        """Return what is to be told about a connection that failed or was lost.

        All of it is transient: also a wrong password is right a little later, where the broker is being set up.
        """
        user, vhost = getattr(self.parameters.credentials, "username", "?"), self.parameters.virtual_host
        why = _cause(error)[:500] if error else "the connection was closed here"
        if f"({REFUSED}" in why:
            return LogUnavailable(
                f"{self.name} refuses the user {user!r}; check the URL's user and password, and permissions: {why}"
            )
        if f"({NOT_ALLOWED}" in why:
            return LogUnavailable(
                f"{self.name} has no virtual host {vhost!r} for {user!r} ({why}); check the URL's path, or make it: "
                f"rabbitmqctl add_vhost {vhost} and rabbitmqctl set_permissions -p {vhost} {user} '.*' '.*' '.*'"
            )
        return LogUnavailable(f"{self.name} cannot be reached or went away: {why}; it is tried again")


class Link:
    """One connection, until it is lost or closed; never opened again.

    pika's objects belong to its thread: to the callbacks, and to what `call` hands over.

    Args:
        broker: where to.
        name: the thread's, which the broker's list of connections shows, too.
        opened: called with the open connection.
        lost: called once, when it is lost or closed, also where it never opened.
    """

    def __init__(
        self,
        broker: Broker,
        name: str,
        opened: Callable[[SelectConnection], None] = lambda _: None,
        lost: Callable[[LogUnavailable], None] = lambda _: None,
    ) -> None:
        self.lost: LogUnavailable | None = None
        self._broker, self._name, self._on_open, self._on_lost = broker, name, opened, lost
        self._lock = Lock()
        self._loop = IOLoop()
        self._connection: SelectConnection | None = None
        self._early: list[Callable[[], None]] = []
        self._answers: set[Answer] = set()
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, work: Callable[[], None]) -> None:
        """Have the thread do this once the connection is open; never, where it is lost before. Does not block."""
        with self._lock:
            if self.lost is None:
                self._loop.add_callback_threadsafe(partial(self._do, work))

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        """Have the thread do this after so long. Called by the thread."""
        self._loop.call_later(seconds, work)

    def ask(self, question: Callable[[Channel, Callable[[Any], None]], None]) -> Answer:
        """Put one question on a channel of its own, since a refusal closes it.

        The answer fails with `ChannelClosedByBroker` where it was refused, with `LogUnavailable` where it was lost.
        """
        answer: Answer = Future()
        with self._lock:
            if self.lost is not None:
                answer.set_exception(self.lost)
                return answer
            self._answers.add(answer)
        self.call(partial(self._ask, question, answer))
        return answer

    def fail(self, error: BaseException) -> None:
        """Give the connection up for this reason. Called by the thread."""
        self._lose(self._broker.unavailable(error))

    def close(self) -> None:
        """Close the connection: what its channels hold is the broker's again when this returns. Idempotent."""
        with self._lock:
            if self.lost is None:
                self._loop.add_callback_threadsafe(partial(self._lose, self._broker.unavailable(None)))
        self._thread.join(2 * CLOSE_SECONDS)

    def _run(self) -> None:
        try:
            self._connection = SelectConnection(
                self._broker.parameters_of(self._name),
                on_open_callback=self._opened,
                on_open_error_callback=self._ended,
                on_close_callback=self._ended,
                custom_ioloop=self._loop,
            )
            self._loop.start()
        except AssertionError:  # pika's own, about a connection that is hung up on before it was open
            if self.lost is None:
                raise
        finally:
            self._lose(self._broker.unavailable(None))  # nobody may wait for a thread that has ended
            self._loop.close()

    def _opened(self, connection: SelectConnection) -> None:
        if self.lost is not None:
            connection.close()
            return
        self._on_open(connection)
        while self._early:
            self._early.pop(0)()

    def _ended(self, _: SelectConnection, error: BaseException) -> None:
        self._lose(self._broker.unavailable(error))
        self._loop.stop()

    def _lose(self, error: LogUnavailable) -> None:
        """Tell everybody, then say good-bye."""
        with self._lock:
            if self.lost is not None:
                return
            self.lost = error
        self._on_lost(error)
        for answer in list(self._answers):
            self._settle(answer, error)
        if self._connection is not None and not (self._connection.is_closing or self._connection.is_closed):
            self._loop.call_later(CLOSE_SECONDS, self._hang_up)
            self._connection.close()

    def _hang_up(self) -> None:
        """Let go of a broker that does not say good-bye; pika has no public way to do so."""
        if self._connection is not None:
            self._connection._terminate_stream(StreamLostError("it did not say good-bye"))  # noqa: SLF001

    def _do(self, work: Callable[[], None]) -> None:
        if self._connection is not None and self._connection.is_open:
            work()
        elif self.lost is None:
            self._early.append(work)

    def _ask(self, question: Callable[[Channel, Callable[[Any], None]], None], answer: Answer) -> None:
        def opened(channel: Channel) -> None:
            channel.add_on_close_callback(lambda _, reason: self._settle(answer, reason))
            question(channel, partial(answered, channel))

        def answered(channel: Channel, frame: Any) -> None:  # noqa: ANN401 - pika's frames have no common type
            self._settle(answer, frame.method)
            channel.close()

        if self._connection is not None:
            self._connection.channel(on_open_callback=opened)

    def _settle(self, answer: Answer, result: object) -> None:
        if answer not in self._answers:
            return
        self._answers.remove(answer)
        if isinstance(result, ChannelClosedByBroker | LogUnavailable):
            answer.set_exception(result)
        elif isinstance(result, AMQPError):
            answer.set_exception(self._broker.unavailable(result))
        else:
            answer.set_result(result)


def _cause(error: BaseException) -> str:
    """Tell what happened, the reply code where the broker closed: pika's wrappers say nothing or guess."""
    wrapped = error.args[0] if isinstance(error, AMQPConnectionError) and error.args else error
    last = wrapped.exceptions[-1] if isinstance(wrapped, AMQPConnectionWorkflowFailed) else error
    inner = last.exception if isinstance(last, AMQPConnectorPhaseErrorBase) else last
    return str(inner) or type(inner).__name__


def is_missing(reason: Exception) -> bool:
    """Return whether there is no such queue or exchange; one that is down for now is "not found" in other words."""
    if not isinstance(reason, ChannelClosedByBroker):
        return False
    return reason.reply_code == MISSING and str(reason.reply_text).startswith("NOT_FOUND - no ")


def result(answer: Answer, seconds: float = REPLY_SECONDS) -> Any:  # noqa: ANN401 - methods have no common type
    """Return the answer; `LogUnavailable` where none comes in time.

    Raises:
        ChannelClosedByBroker: the broker refused.
    """
    try:
        return answer.result(seconds)
    except TimeoutError as error:
        message = f"RabbitMQ has not answered for {seconds:g} s; it is tried again"
        raise LogUnavailable(message) from error
