"""The dataflow: log -> process -> feature store, run until stopped."""

from datetime import timedelta

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.errors import BytewaxRuntimeError
from bytewax.testing import run_main

from twin_feature_stream.ahead import Epoch
from twin_feature_stream.batch import Computed
from twin_feature_stream.errors import Failure
from twin_feature_stream.sink import FeatureSink
from twin_feature_stream.source import LogSource
from twin_platform.errors import PlatformError

EPOCH = timedelta(0)
"""An epoch is one poll of the source: committed at once, so an idle flow adds no wait to a document's way."""


def build_dataflow(source: LogSource, failure: Failure, sink: FeatureSink) -> Dataflow:
    """Return the dataflow. No operator of it holds an item beyond its epoch: acknowledging relies on that."""

    def computed(epochs: list[Epoch]) -> list[Computed]:
        try:
            return [epoch.computed.result() for epoch in epochs]
        except PlatformError as error:
            failure.hand_over(error)
            return []

    flow = Dataflow("feature-stream")
    epochs = op.input("log", flow, source)
    changes = op.flat_map_batch("process", epochs, computed)
    keyed = op.key_on("one-commit", changes, lambda _: "features")
    op.output("features", keyed, sink)
    return flow


def run_dataflow(flow: Dataflow, failure: Failure) -> None:
    """Run in this thread until the source ends; no recovery store, since the log keeps what was not acknowledged.

    Raises:
        PlatformError: what an operator handed over, or what building the source ran into.
    """
    try:
        run_main(flow, epoch_interval=EPOCH)  # type: ignore[no-untyped-call]  # the library has no types there
    except BytewaxRuntimeError as error:
        raise _root_of(error) from error
    if failure.error is not None:
        raise failure.error


def _root_of(error: BaseException) -> BaseException:
    if isinstance(error, PlatformError) or error.__cause__ is None:
        return error
    return _root_of(error.__cause__)
