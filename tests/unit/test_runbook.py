"""The runbook against the code: what an error or an alert names is there."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import twin_cdc
import twin_feature_stream
import twin_platform
from twin_platform.errors import PermanentError
from twin_platform.service import CRASH

RUNBOOK = (Path(__file__).parents[2] / "docs/runbook.md").read_text("utf-8")
HEADINGS = re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)
END_NO_SERVICE = {
    "DocumentTooLarge": "told to whoever wrote it",
    "KeyNameTaken": "told to whoever made the key",
    "KeyNameUnknown": "told to whoever named it",
    "PositionLost": "answered by a re-emission",
    "RecordChanged": "each put that may meet it says what then",
}
"""The message says what to do, for all that could need it; so they have no section of their own."""


@cache
def permanent_errors() -> list[type[PermanentError]]:
    """Import every module, the heavy ones, too: in the tests that need it, not while all tests are collected."""
    return sorted(found_errors(), key=lambda error: error.__name__)


def found_errors() -> Iterator[type[PermanentError]]:
    for package in (twin_platform, twin_cdc, twin_feature_stream):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.endswith("__main__"):
                continue
            for member in vars(importlib.import_module(module.name)).values():
                if isinstance(member, type) and issubclass(member, PermanentError) and member.__module__ == module.name:
                    yield member


def test_what_ends_a_service_names_a_section_that_is_there() -> None:
    assert {error.__name__ for error in permanent_errors() if error.runbook not in HEADINGS} == set()


def test_every_error_that_can_end_a_service_has_a_section_of_its_kind() -> None:
    general = {error.__name__ for error in permanent_errors() if "runbook" not in vars(error)}

    assert general - {"PermanentError"} == {*END_NO_SERVICE, "HandlersMissing"}


def test_a_crash_has_a_section() -> None:
    assert CRASH in HEADINGS
