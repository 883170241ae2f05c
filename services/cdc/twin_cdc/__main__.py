"""`python -m twin_cdc`: cdc as a process of its own. Any number may run: one is active, the others wait."""

import sys

from twin_cdc.bootstrap import open_relay
from twin_cdc.settings import Settings
from twin_platform.service import run_process
from twin_platform.telemetry.logs import JsonLogger

if __name__ == "__main__":
    sys.exit(run_process(Settings, open_relay, JsonLogger("cdc")))
