"""A packed payload is the payload: nothing that goes in is missing when it comes out."""

import pytest

from fakes.feature_samples import indexed, version
from twin_platform.features.engine import INDEXED_FIELDS
from twin_platform.features.packed import FIELDS, fields_of, pack, unpack

(_CHUNK,) = indexed("essay", version(1, 2**53 - 1), ["naïve 数学"]).chunks
_METADATA = {"type": "post", "author": "ada", "quality": 0.5, "title": 'a "b"\n'}


@pytest.mark.parametrize(
    "payload",
    [
        _CHUNK.payload.model_dump(mode="json"),
        _CHUNK.payload.model_dump(mode="json", exclude_defaults=True),
        {"status": "purged", "version": {"seconds": 1, "increment": 2}},
        {"document_id": "a", "metadata": _METADATA, "heading_path": ["A", "B"], "rest": "my own"},
        {"metadata": None, "text": None},
        {},
    ],
)
def test_what_is_packed_comes_back_as_it_was(payload: dict[str, object]) -> None:
    assert unpack(pack(payload)) == payload


def test_every_field_that_is_selected_by_stands_in_a_packed_payload_by_itself() -> None:
    packed = pack({**_CHUNK.payload.model_dump(mode="json"), "status": "indexed"})

    assert {field for fields in INDEXED_FIELDS.values() for field in fields} <= FIELDS.keys()
    assert set(FIELDS.values()) <= packed.keys()


@pytest.mark.parametrize("names", [("text",), ("version",), ("document_id", "text_hash"), ("metadata",), ()])
def test_the_fields_that_hold_some_of_a_payload_are_enough_to_read_it(names: tuple[str, ...]) -> None:
    payload = _CHUNK.payload.model_dump(mode="json")
    packed = pack(payload)

    read = unpack({name: packed[name] for name in fields_of(names)})

    assert {name: read[name] for name in names} == {name: payload[name] for name in names}
