"""Decision 1 against the code: which package is imported where."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECTS = sorted([*ROOT.glob("libs/*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml")])
PACKAGES = sorted(path.parent for project in PROJECTS for path in project.parent.glob("twin_*/__init__.py"))


def direct_dependencies() -> set[str]:
    """Names of what the workspace's packages ask for by themselves."""
    asked: list[str] = []
    for path in PROJECTS:
        project = tomllib.loads(path.read_text("utf-8"))["project"]
        asked += project["dependencies"]
        asked += [each for extra in project.get("optional-dependencies", {}).values() for each in extra]
    names = {re.split(r"[\[<>=!~ ]", each)[0] for each in asked}
    return {name for name in names if not name.startswith("llm-twin-")}


def documented_dependencies() -> dict[str, tuple[set[str], set[str]]]:
    """Package -> import names, and importing packages or modules, as decision 1 lists them."""
    text = (ROOT / "docs/decisions/0001-packages.md").read_text("utf-8")
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|", text, re.MULTILINE)
    return {package: (quoted(modules), quoted(where)) for package, modules, where in rows}


def quoted(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


@cache
def imports() -> dict[str, set[str]]:
    """Return module of the workspace -> everything that it imports."""
    return {
        ".".join(path.relative_to(package.parent).with_suffix("").parts): set(imported(path))
        for package in PACKAGES
        for path in package.rglob("*.py")
    }


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Constant) and str(node.value).startswith("tree_sitter_"):
            yield str(node.value)  # a grammar is imported by its name, when a file needs it


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def test_decision_1_lists_every_direct_dependency_and_no_other() -> None:
    assert documented_dependencies().keys() == direct_dependencies()


@pytest.mark.parametrize("package", sorted(documented_dependencies()))
def test_a_dependency_is_imported_where_decision_1_says_and_nowhere_else(package: str) -> None:
    modules, places = documented_dependencies()[package]

    importers = {
        name for name, imported in imports().items() if any(inside(each, one) for each in imported for one in modules)
    }

    assert {name for name in importers if not any(inside(name, place) for place in places)} == set(), (
        "imported elsewhere"
    )
    assert {place for place in places if not any(inside(name, place) for name in importers)} == set(), (
        "not imported there"
    )


def test_nothing_is_imported_that_decision_1_does_not_list() -> None:
    known = {module for modules, _ in documented_dependencies().values() for module in modules}
    foreign = {name.split(".")[0] for names in imports().values() for name in names} - sys.stdlib_module_names

    assert {name for name in foreign if not name.startswith("twin_")} == known


def test_contracts_need_nothing_but_pydantic_and_the_standard_library() -> None:
    names = {
        each.split(".")[0] for name, all_of in imports().items() if inside(name, "twin_contracts") for each in all_of
    }

    assert names - sys.stdlib_module_names <= {"pydantic", "pydantic_core", "twin_contracts"}
