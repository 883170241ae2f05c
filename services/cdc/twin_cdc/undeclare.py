"""`python -m twin_cdc.undeclare`: delete every queue of a broker's log, so that cdc declares another number of them."""

import sys

from twin_cdc.relay import RIGHT
from twin_cdc.settings import Settings
from twin_platform.errors import PlatformError
from twin_platform.log.errors import RightTaken
from twin_platform.log.open import undeclare_event_log
from twin_platform.service import REFUSED


def main() -> int:
    """Delete them, unless cdc or a flow runs; what was in them is owed by whoever declares queues again."""
    try:
        events = undeclare_event_log(Settings().log_url, RIGHT)
    except RightTaken:
        sys.stderr.write("a cdc runs, which would declare them again; stop it, then try again: nothing was deleted\n")
        return REFUSED
    except PlatformError as error:
        sys.stderr.write(f"{error}\n")
        return REFUSED
    sys.stdout.write(
        f"the queues are deleted, and {events} events that were in them; set LOG_PARTITIONS for every service, then "
        "start them: cdc declares the queues and publishes every document again\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
