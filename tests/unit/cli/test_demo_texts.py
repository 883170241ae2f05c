"""What the demo takes for the clone."""

from pathlib import Path

from twin_cli.demo_texts import clone_above


def test_in_a_clone_it_is_the_clone() -> None:
    assert clone_above(Path("/home/ada/llm-twin/libs/cli/twin_cli/demo_texts.py")) == Path("/home/ada/llm-twin")


def test_a_package_near_the_root_can_be_imported_all_the_same() -> None:
    assert clone_above(Path("/app/twin_cli/demo_texts.py")) == Path("/")
