"""The contracts as others see them: exported schemas, golden examples, and nothing broken since the last release."""

import importlib
import json
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

import twin_contracts
from contract.schema_compatibility import Json, Node, breaks
from twin_contracts.base import Contract
from twin_contracts.schemas import CONTRACTS, FOLDER, differences, exported, main, write

FOREIGN = {"ChatRequest.ResponseFormat", "ChatRequest.JsonValue"}
"""A client's own JSON Schema, which goes to the language model as it came."""
EXAMPLES = sorted((FOLDER.parent / "examples").glob("*/*.json"))
RELEASED = sorted((FOLDER / "released").glob("*.json"))


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.fixture(scope="module")
def schemas() -> dict[str, Node]:
    """Every exported schema, by its contract's name."""
    return {name.removesuffix(".json"): json.loads(text) for name, text in exported().items()}


def test_the_committed_schemas_are_what_the_code_says() -> None:
    assert differences(FOLDER) == [], "run `make schemas` and commit"


def test_the_exporter_makes_a_folder_hold_exactly_the_schemas(tmp_path: Path) -> None:
    (tmp_path / "ChangeEvent.json").write_text("{}")
    (tmp_path / "Gone.json").write_text("{}")
    assert {"ChangeEvent.json", "Gone.json", "RawDocument.json"} <= set(differences(tmp_path))

    write(tmp_path)

    assert differences(tmp_path) == []


def test_a_difference_fails_the_check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("twin_contracts.schemas.FOLDER", tmp_path)
    assert main(["--check"]) == 1

    assert main([]) == 0

    assert main(["--check"]) == 0


def test_every_contract_is_exported_or_part_of_one_that_is(schemas: dict[str, Node]) -> None:
    for module in pkgutil.iter_modules(twin_contracts.__path__):
        importlib.import_module(f"twin_contracts.{module.name}")
    known = {str(schema.get("title")) for schema in schemas.values()}
    known |= {name for schema in schemas.values() for name in cast("Node", schema.get("$defs", {}))}
    declared = {model.__name__ for model in subclasses(Contract) if model.__module__.startswith("twin_contracts.")}

    assert {name for name in declared if not name.startswith("_")} - known == set()


def test_every_exported_contract_has_a_golden_example() -> None:
    assert {path.parent.name for path in EXAMPLES} == CONTRACTS.keys()


@pytest.mark.parametrize("contract", ["RawDocument", "ChangeEvent"])
def test_every_variant_of_a_union_has_a_golden_example(contract: str, schemas: dict[str, Node]) -> None:
    discriminator = cast("dict[str, dict[str, str]]", schemas[contract]["discriminator"])
    tag = discriminator["propertyName"]
    shown = {json.loads(path.read_text("utf-8"))[tag] for path in EXAMPLES if path.parent.name == contract}

    assert shown == discriminator["mapping"].keys()


@pytest.mark.parametrize("path", [path for path in EXAMPLES if not path.stem.startswith("newer-")], ids=named)
def test_a_golden_example_survives_the_round_trip_unchanged(path: Path) -> None:
    adapter = CONTRACTS[path.parent.name]
    text = path.read_text("utf-8")

    parsed = adapter.validate_json(text)

    assert adapter.dump_python(parsed, mode="json", exclude_unset=True) == json.loads(text)  # type: ignore[arg-type]
    assert adapter.validate_json(adapter.dump_json(parsed)) == parsed  # type: ignore[arg-type]


@pytest.mark.parametrize("path", [path for path in EXAMPLES if path.stem.startswith("newer-")], ids=named)
def test_what_a_newer_writer_adds_is_ignored(path: Path) -> None:
    adapter = CONTRACTS[path.parent.name]
    text = path.read_text("utf-8")

    parsed = adapter.validate_json(text)

    understood = adapter.dump_python(parsed, mode="json", exclude_unset=True)  # type: ignore[arg-type]
    assert understood != json.loads(text)
    assert adapter.validate_python(understood) == parsed


def test_the_last_release_left_its_schemas() -> None:
    assert RELEASED


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.stem)
def test_nothing_was_removed_newly_required_or_narrowed_since_the_last_release(
    path: Path, schemas: dict[str, Node]
) -> None:
    now = schemas.get(path.stem)

    assert now is not None, "the contract itself was removed"
    assert breaks(json.loads(path.read_text("utf-8")), now) == []


@pytest.mark.parametrize("name", CONTRACTS)
def test_no_contract_has_a_field_of_any_shape(name: str, schemas: dict[str, Node]) -> None:
    shapeless = {path for path, node in nodes(schemas[name], name) if not has_shape(node)}

    assert shapeless <= FOREIGN


def has_shape(node: Node) -> bool:
    if node.get("type") == "object":
        return "properties" in node and not node.get("additionalProperties", False)
    return bool(node.keys() & {"type", "$ref", "anyOf", "oneOf", "const", "enum"})


def nodes(schema: Node, path: str) -> Iterator[tuple[str, Node]]:
    """Yield every schema inside `schema` with its path."""
    yield path, schema
    children: dict[str, Json] = {}
    for keyword in ("$defs", "properties"):
        children |= cast("dict[str, Json]", schema.get(keyword, {}))
    for keyword in ("anyOf", "oneOf", "prefixItems"):
        children |= {f"{keyword}{i}": each for i, each in enumerate(cast("list[Json]", schema.get(keyword, [])))}
    if "items" in schema:
        children["[]"] = schema["items"]
    for name, child in children.items():
        yield from nodes(cast("Node", child), f"{path}.{name}")


def subclasses(model: type[Contract]) -> Iterator[type[Contract]]:
    for each in model.__subclasses__():
        yield each
        yield from subclasses(each)
