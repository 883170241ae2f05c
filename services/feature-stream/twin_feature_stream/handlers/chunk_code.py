"""Cut source code along its syntax tree."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar, NamedTuple

from tree_sitter import Node

from twin_feature_stream.handlers.chunks import shortened, within_limit
from twin_feature_stream.handlers.cut import Level, Ruler, cuts, settled
from twin_feature_stream.handlers.languages import grammar_of, language_of, levels_of
from twin_feature_stream.handlers.levels import SOURCE
from twin_feature_stream.handlers.syntax_tree import longest_child, name_of, parse, units_of
from twin_feature_stream.ports import Chunk, CleanDocument
from twin_platform.embedding.port import Tokenizer

_DEEPEST = 24
_PATH_SHARE = 4
_NAMES_SHARE = 8
"""The path may take a quarter of a chunk, the names in it an eighth more."""


@dataclass(frozen=True)
class ChunkSyntaxTree:
    """Cut at definitions, then members, then statements, then lines; small neighbours share a chunk.

    Each chunk carries the file's path and the names of the definitions around it. A file in a language without a
    grammar, or one that cannot be parsed in time, is cut at the words that begin a definition, and at lines. Joining
    the chunks' own text in order gives back the source.
    """

    version: ClassVar[int] = 1

    tokenizer: Tokenizer
    max_tokens: int

    def __call__(self, document: CleanDocument) -> Sequence[Chunk]:
        """Return the chunks in order; none is above `max_tokens`, its path included."""
        text, name = document.text, document.metadata.title or ""
        path, taken = shortened((name,) if name else (), self.tokenizer, self.max_tokens // _PATH_SHARE)
        room = taken + self.max_tokens // _NAMES_SHARE
        language = language_of(name, document.metadata.language)
        grammar = grammar_of(language)
        root = parse(text, grammar) if grammar else None
        source = _Source(
            Ruler(text, self.tokenizer), self.max_tokens - room, SOURCE if grammar else levels_of(language)
        )
        places = source.cuts(0, len(text), root, _DEEPEST)
        paths: dict[tuple[str, ...], tuple[str, ...]] = {(): path}
        chunks = []
        for piece, names in source.named(places):
            if names not in paths:
                paths[names], _ = shortened((*path, *names), self.tokenizer, room)
            chunks.append(Chunk(piece, paths[names]))
        return within_limit(chunks, self.tokenizer, self.max_tokens, SOURCE)


class _Scope(NamedTuple):
    start: int
    end: int
    name: str


@dataclass
class _Source:
    """One file while it is cut; remembers the definitions met on the way, outer ones first."""

    ruler: Ruler
    limit: int
    levels: Sequence[Level]
    scopes: list[_Scope] = field(default_factory=list)

    def cuts(self, start: int, end: int, node: Node | None, depth: int) -> list[int]:
        """Return where to cut this stretch, of which `node` is the tree.

        A definition that is cut shares no chunk with its neighbours: each of its pieces carries its name.
        """
        if self.ruler.size(start, end) <= self.limit:
            return []
        units = units_of(self.ruler.text, node) if node and depth else []
        if node and depth and len(units) <= 1:
            return self._cuts_within(start, end, units[0].node if units else longest_child(node), depth)
        if not units:
            return cuts(self.ruler, start, end, self.limit, self.levels)
        fixed, marks = [start, end], []
        for (left, right), unit in zip(pairwise([start, *(unit.start for unit in units[1:]), end]), units, strict=True):
            name = self._enter(max(left, unit.start), right, unit.node)
            inner = self.cuts(left, right, unit.node, depth - 1)
            fixed += [left, *inner, right] if inner and name else inner
            marks.append(left)
        return settled(self.ruler, fixed, marks[1:], self.limit)

    def _cuts_within(self, start: int, end: int, node: Node | None, depth: int) -> list[int]:
        """Return the cuts by the only part of a node that may hold units."""
        if node:
            self._enter(max(start, node.start_byte - node.start_point.column), end, node)
        return self.cuts(start, end, node, depth - 1)

    def _enter(self, start: int, end: int, node: Node) -> str | None:
        """Remember a definition, once where the tree has a node around it for decorators and the like."""
        name = name_of(self.ruler.text, node)
        if name and not (self.scopes and self.scopes[-1].end == end and self.scopes[-1].name == name):
            self.scopes.append(_Scope(start, end, name))
        return name

    def named(self, places: Sequence[int]) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield each piece with the names of the definitions that hold all of it."""
        text = self.ruler.text
        around: list[_Scope] = []
        waiting = iter([*self.scopes, _Scope(len(text) + 1, len(text) + 1, "")])
        scope = next(waiting)
        for start, end in pairwise([0, *places, len(text)]):
            piece = text[start:end]
            first = start + len(piece) - len(piece.lstrip("\n"))
            while scope.start <= first:
                around.append(scope)
                scope = next(waiting)
            around = [scope for scope in around if scope.end >= start + len(piece.rstrip())]
            yield piece, tuple(scope.name for scope in around)
