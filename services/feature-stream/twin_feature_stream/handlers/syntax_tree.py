"""The units of a source file by its syntax tree: definitions, their members, their statements."""

import ctypes
import re
import sys
from dataclasses import dataclass

from tree_sitter import Language, Node, Parser, Point

_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_READ_AT_ONCE = 65_536
_REFERENCES = 2
"""Of a piece that nobody but its source has: that one, and the call that counts."""
_EFFORT = 12_000
_EFFORT_AFTER_ERROR = 10
_GLUED = ("comment", "attribute_item")
_DEFINITIONS = ("_definition", "_declaration", "_item", "_specifier", "export_statement")
_WITHIN = ("definition", "declaration", "declarator", "type")
_NESTED_NAME = 8
_LONGEST_NAME = 80
_LONGEST_INDENT = 400


@dataclass(frozen=True, slots=True)
class Unit:
    """A node that begins a line, from that line's start and with the comments right above it."""

    start: int
    node: Node


def parse(text: str, grammar: Language) -> Node | None:
    """Return the root of the file's syntax tree; its byte offsets are code points of `text`.

    None where parsing takes too long. What is counted is the parser's steps, ten times once it has met an error: unlike
    a clock, they are the same on every machine, and so are the chunks. The limit is about a second, or a megabyte.
    """
    read = _Source(_BEYOND_ASCII.sub("x", text).encode())  # one byte per code point; any identifier may have a letter
    effort = 0

    def give_up(_: int, has_error: bool) -> bool:  # noqa: FBT001 - the parser calls it so
        nonlocal effort
        effort += _EFFORT_AFTER_ERROR if has_error else 1
        return effort > _EFFORT

    try:
        return Parser(grammar).parse(read, progress_callback=give_up).root_node
    except ValueError:  # given up
        return None
    finally:
        read.done()


class _Source:
    """Hands a source out piece by piece; the parser needs one until it asks for the next.

    tree-sitter 0.26.1 never gives up its reference to a piece, so every file that was ever parsed would stay in memory:
    that reference is given up here, where there is one.
    """

    def __init__(self, source: bytes) -> None:
        self._source = memoryview(source)
        self._piece = b""

    def __call__(self, offset: int, _: Point) -> bytes:
        """Return the piece that begins at `offset`, empty at the end."""
        self.done()
        self._piece = self._source[offset : offset + _READ_AT_ONCE].tobytes()
        return self._piece

    def done(self) -> None:
        """Let go of the last piece."""
        if self._piece and sys.getrefcount(self._piece) > _REFERENCES:
            ctypes.pythonapi.Py_DecRef(ctypes.py_object(self._piece))
        self._piece = b""


def units_of(text: str, node: Node) -> list[Unit]:
    """Return the children of `node` that begin a line, in order."""
    units: list[Unit] = []
    above: Node | None = None
    for child in node.named_children:
        row, column = child.start_point
        line = child.start_byte - column
        if column > _LONGEST_INDENT or text[line : child.start_byte].strip():
            continue
        if above and above.type.endswith(_GLUED) and row - above.end_point.row <= 1:
            units[-1] = Unit(units[-1].start, child)
        else:
            units.append(Unit(line, child))
        above = child
    return units


def longest_child(node: Node) -> Node | None:
    """Return where most of the node's text is."""
    return max(node.named_children, key=lambda child: child.end_byte - child.start_byte, default=None)


def name_of(text: str, node: Node) -> str | None:
    """Return the name that a definition gives to its body, None for any other node."""
    if not node.type.endswith(_DEFINITIONS):
        return None
    within: Node | None = node
    for _ in range(_NESTED_NAME):
        if within is None:
            return None
        if name := within.child_by_field_name("name"):
            return " ".join(text[name.start_byte : name.end_byte].split())[:_LONGEST_NAME]
        parts = (within.child_by_field_name(field) for field in _WITHIN)
        inner = next((part for part in parts if part), None)
        if inner is None and within is not node:
            return " ".join(text[within.start_byte : within.end_byte].split())[:_LONGEST_NAME]
        within = inner
    return None
