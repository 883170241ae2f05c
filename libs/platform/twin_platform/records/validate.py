"""A stored record's JSON as its model."""

from pydantic import ValidationError

from twin_platform.records.errors import RecordUnreadable
from twin_platform.records.port import Collection, R


def validated(collection: Collection[R], key: str, body: str) -> R:
    """Return the record; raises `RecordUnreadable` where it no longer validates."""
    try:
        return collection.model.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, fault["loc"])) or "record"
        raise RecordUnreadable(collection.name, key, f"{place}: {fault['msg']}") from error
