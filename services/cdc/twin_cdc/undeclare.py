"""`python -m twin_cdc.undeclare`: delete every queue of a broker's log, so that cdc declares another number of them."""

import sys

from twin_cdc.relay import RIGHT
from twin_cdc.settings import Settings
from twin_platform.errors import PlatformError
from twin_platform.log.open import undeclare_event_log


def main() -> int:
    """Delete them, unless cdc or a flow runs; what was in them is owed by whoever declares queues again."""
    try:
        events = undeclare_event_log(Settings().log_url, RIGHT)
    except PlatformError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    sys.stdout.write(
        f"the queues are deleted, and {events} events that were in them; set LOG_PARTITIONS for every service, then "
        "start them: cdc declares the queues and publishes every document again\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
