"""Whether a newer JSON Schema still accepts and still says everything that an older one did."""

from collections.abc import Iterator
from typing import TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
Node: TypeAlias = dict[str, Json]

_SAYS_NOTHING = {"title", "description", "default", "examples", "$defs", "discriminator"}
_UPPER = {"maxLength", "maxItems", "maximum", "exclusiveMaximum"}
_LOWER = {"minLength", "minItems", "minimum", "exclusiveMinimum"}
_STRUCTURE = {
    "type",
    "enum",
    "const",
    "properties",
    "required",
    "items",
    "anyOf",
    "oneOf",
    "$ref",
    "additionalProperties",
}


def breaks(old: Node, new: Node) -> list[str]:
    """Return a sentence for everything that `new` removed, newly requires or narrowed; empty where nothing breaks.

    What this comparison does not know counts as broken where it differs, so that it errs towards asking a person.
    """
    return list(_Comparison(old, new).of(old, new, "", frozenset()))


class _Comparison:
    def __init__(self, old: Node, new: Node) -> None:
        self._old, self._new = old, new

    def of(self, old: Node, new: Node, path: str, seen: frozenset[tuple[str, str]]) -> Iterator[str]:
        refs = (str(old.get("$ref")), str(new.get("$ref")))
        if "$ref" in old and refs in seen:
            return  # a recursive contract; this pair is being compared already
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        seen |= {refs}
        if len(_alternatives(old)) > 1 or len(_alternatives(new)) > 1:
            yield from self._union(old, new, path, seen)
            return
        yield from _type_and_values(old, new, path)
        yield from _bounds(old, new, path)
        yield from self._fields(old, new, path, seen)
        if isinstance(old.get("items"), dict) and isinstance(new.get("items"), dict):
            yield from self.of(_node(old["items"]), _node(new["items"]), f"{path}[]", seen)
        elif old.get("items") != new.get("items"):
            yield f"{path or '.'}: items changed"

    def _union(self, old: Node, new: Node, path: str, seen: frozenset[tuple[str, str]]) -> Iterator[str]:
        """Each old alternative needs a new one that takes all of it; what stands nearest is reported."""
        for before in _alternatives(old):
            found = [list(self.of(before, after, path, seen)) for after in _alternatives(new)]
            yield from min(found, key=len)

    def _fields(self, old: Node, new: Node, path: str, seen: frozenset[tuple[str, str]]) -> Iterator[str]:
        fields, new_fields = _node(old.get("properties", {})), _node(new.get("properties", {}))
        for name, field in fields.items():
            if name not in new_fields:
                yield f"{path}.{name}: removed"
            else:
                yield from self.of(_node(field), _node(new_fields[name]), f"{path}.{name}", seen)
        for name in sorted(_texts(new.get("required")) - _texts(old.get("required"))):
            yield f"{path}.{name}: newly required"
        others = new.get("additionalProperties", True)
        if others is not True and others != old.get("additionalProperties", True):
            yield f"{path or '.'}: unknown fields are treated otherwise"


def _type_and_values(old: Node, new: Node, path: str) -> Iterator[str]:
    if old.get("type") != new.get("type") and "type" in new and (old.get("type"), new["type"]) != ("integer", "number"):
        yield f"{path or '.'}: type {old.get('type')!r} became {new['type']!r}"
    gone = _values(old) - _values(new)
    if "enum" in new or "const" in new:
        if not ("enum" in old or "const" in old):
            yield f"{path or '.'}: only certain values are left"
        elif gone:
            yield f"{path or '.'}: values {sorted(gone)} were removed"


def _bounds(old: Node, new: Node, path: str) -> Iterator[str]:
    for keyword in sorted((old.keys() | new.keys()) - _SAYS_NOTHING - _STRUCTURE):
        before, after = old.get(keyword), new.get(keyword)
        if after is None or before == after:
            continue  # a bound that is gone only widens
        if keyword in _UPPER | _LOWER and _is_number(before) and _is_number(after):
            if (after < before) == (keyword in _UPPER):  # type: ignore[operator]  # both are numbers
                yield f"{path or '.'}: {keyword} narrowed from {before} to {after}"
        else:
            yield f"{path or '.'}: {keyword} {before!r} became {after!r}"


def _resolved(node: Node, root: Node) -> Node:
    while isinstance(reference := node.get("$ref"), str):
        node = _node(_node(root["$defs"])[reference.removeprefix("#/$defs/")])
    return node


def _alternatives(node: Node) -> list[Node]:
    listed = node.get("anyOf") or node.get("oneOf")
    return [_node(each) for each in listed] if isinstance(listed, list) else [node]


def _values(node: Node) -> set[str]:
    listed = node.get("enum")
    return {repr(value) for value in listed} if isinstance(listed, list) else {repr(node.get("const"))}


def _texts(listed: Json) -> set[str]:
    return {str(each) for each in listed} if isinstance(listed, list) else set()


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float)


def _node(value: Json) -> Node:
    assert isinstance(value, dict), f"expected a schema, found {value!r}"
    return value
