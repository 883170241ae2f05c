import copy
from collections.abc import Callable
from typing import Any

import pytest

from contract.schema_compatibility import breaks

BEFORE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z]+$"},
        "status": {"$ref": "#/$defs/Status"},
        "title": {"anyOf": [{"type": "string", "maxLength": 100}, {"type": "null"}]},
        "size": {"type": "integer", "minimum": 0},
        "tags": {"type": "array", "items": {"type": "string"}},
        "body": {"oneOf": [{"$ref": "#/$defs/Post"}, {"$ref": "#/$defs/Code"}]},
        "parent": {"anyOf": [{"$ref": "#/$defs/Post"}, {"type": "null"}]},
    },
    "required": ["id"],
    "$defs": {
        "Status": {"type": "string", "enum": ["indexed", "parked"]},
        "Post": {
            "type": "object",
            "properties": {"type": {"type": "string", "const": "post"}, "reply_to": {"$ref": "#/$defs/Post"}},
        },
        "Code": {
            "type": "object",
            "properties": {"type": {"type": "string", "const": "code"}, "path": {"type": "string"}},
            "required": ["path"],
        },
    },
}
Change = Callable[[dict[str, Any]], object]

BREAKING: dict[str, tuple[Change, str]] = {
    "a field removed": (lambda new: new["properties"].pop("size"), ".size: removed"),
    "a field newly required": (lambda new: new["required"].append("size"), ".size: newly required"),
    "a new field that is required": (
        lambda new: (new["properties"].update(at={"type": "string"}), new["required"].append("at")),
        ".at: newly required",
    ),
    "another type": (
        lambda new: new["properties"]["size"].update(type="string"),
        ".size: type 'integer' became 'string'",
    ),
    "an enum value removed": (
        lambda new: new["$defs"]["Status"].update(enum=["indexed"]),
        ".status: values [\"'parked'\"] were removed",
    ),
    "only certain values": (
        lambda new: new["properties"]["id"].update(enum=["a"]),
        ".id: only certain values are left",
    ),
    "another pattern": (
        lambda new: new["properties"]["id"].update(pattern="^[a-f]+$"),
        ".id: pattern '^[a-z]+$' became '^[a-f]+$'",
    ),
    "a new pattern": (
        lambda new: new["$defs"]["Code"]["properties"]["path"].update(pattern="^/"),
        ".body.path: pattern None became '^/'",
    ),
    "a shorter maxLength": (
        lambda new: new["properties"]["title"]["anyOf"][0].update(maxLength=99),
        ".title: maxLength narrowed from 100 to 99",
    ),
    "a higher minimum": (
        lambda new: new["properties"]["size"].update(minimum=1),
        ".size: minimum narrowed from 0 to 1",
    ),
    "null refused": (
        lambda new: new["properties"].update(title={"type": "string", "maxLength": 100}),
        ".title: type 'null' became 'string'",
    ),
    "items of another type": (
        lambda new: new["properties"]["tags"]["items"].update(type="integer"),
        ".tags[]: type 'string' became 'integer'",
    ),
    "a variant removed": (
        lambda new: new["properties"]["body"]["oneOf"].pop(),
        ".body.type: values [\"'code'\"] were removed",
    ),
    "unknown fields refused": (
        lambda new: new.update(additionalProperties=False),
        ".: unknown fields are treated otherwise",
    ),
    "a keyword this check does not know": (
        lambda new: new["properties"]["size"].update(multipleOf=8),
        ".size: multipleOf None became 8",
    ),
}

ADDITIVE: dict[str, Change] = {
    "nothing": lambda new: None,
    "a new optional field": lambda new: new["properties"].update(at={"type": "string"}),
    "a field no longer required": lambda new: new["required"].remove("id"),
    "a new enum value": lambda new: new["$defs"]["Status"]["enum"].append("deleted"),
    "a longer maxLength": lambda new: new["properties"]["title"]["anyOf"][0].update(maxLength=200),
    "a pattern dropped": lambda new: new["properties"]["id"].pop("pattern"),
    "an integer widened to a number": lambda new: new["properties"]["size"].update(type="number"),
    "a new variant": lambda new: new["properties"]["body"]["oneOf"].append({"type": "null"}),
    "a definition under another name": lambda new: (
        new["$defs"].update(State=new["$defs"].pop("Status")),
        new["properties"].update(status={"$ref": "#/$defs/State"}),
    ),
    "another description": lambda new: new["properties"]["id"].update(description="slug"),
}


@pytest.mark.parametrize("name", BREAKING)
def test_what_breaks_a_reader_is_found_and_named(name: str) -> None:
    change, sentence = BREAKING[name]
    after = copy.deepcopy(BEFORE)
    change(after)

    assert sentence in breaks(BEFORE, after)


@pytest.mark.parametrize("name", ADDITIVE)
def test_what_only_adds_breaks_nothing(name: str) -> None:
    after = copy.deepcopy(BEFORE)
    ADDITIVE[name](after)

    assert breaks(BEFORE, after) == []
