"""`python -m twin_cdc`: cdc as a process of its own. Any number may run: one is active, the others wait."""

import sys
from functools import partial

from twin_cdc.bootstrap import open_relay
from twin_cdc.metrics import METRICS
from twin_cdc.settings import Settings
from twin_platform.service import run_process
from twin_platform.telemetry.logs import JsonLogger
from twin_platform.telemetry.prometheus import PrometheusMetrics

if __name__ == "__main__":
    logger = JsonLogger("cdc")
    metrics = PrometheusMetrics(METRICS, logger)
    sys.exit(run_process(Settings, partial(open_relay, metrics=metrics), logger, metrics))
