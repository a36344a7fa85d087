"""What the formatter works on: a text's words with the comments before each, as items, blocks and bracketed groups.

Takes the syntax tree (for what begins an item and which bracket is which) and the tokens (for everything that the tree
leaves out); gives the top-level items. Nothing is lost but blanks and commas: a comma is known by the two elements that
it separates. A comment belongs to the word after it, and stands either on a line of its own or behind the word before.
Two kinds move, so that what they stand before can be put where it belongs: a comment before a comma goes behind it,
and a single one before the `{` of a block goes behind that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

from lark import Token, Tree

from .tokens import END

# The rules of the grammar that make an item: what begins a line.
_ITEMS = (
    frozenset({"edition", "flow", "param", "secret", "schedule", "defaults", "finally", "setting", "env", "on", "main"})
    | frozenset({"step", "foreach", "cond", "repeat"})
    | frozenset({"input", "output", "after", "block", "run", "script", "call"})
)
_GROUPS = frozenset({"list", "object", "either", "previous"})


@dataclass(slots=True)
class Comment:
    """`blank`: there is an empty line before it."""

    text: str
    blank: bool


@dataclass(slots=True)
class Word:
    """One token. `trailing`: the first comment stands on the line of the word before. `glued`: no blank before it."""

    kind: str
    text: str
    start: int
    line: int
    comments: list[Comment] = field(default_factory=list)
    trailing: bool = False
    blank: bool = False
    glued: bool = False


@dataclass(slots=True)
class Group:
    """A list, an object or arguments. `commas[i]`: whether one separates element i from the next."""

    kind: str
    open: Word
    elements: list[list[Part]]
    commas: list[bool]
    close: Word


@dataclass(slots=True)
class Block:
    """`one_line`: written on one line."""

    open: Word
    items: list[Item]
    close: Word
    one_line: bool


Part: TypeAlias = "Word | Group | Block"


@dataclass(slots=True)
class Item:
    """`kind` is the name of its rule in the grammar."""

    kind: str
    parts: list[Part]

    @property
    def first(self) -> Word:
        """Items begin with a word, never with a bracket."""
        assert isinstance(self.parts[0], Word)
        return self.parts[0]


def read(text: str, tokens: Iterable[Token], tree: Tree[Token]) -> tuple[list[Item], Word]:
    """The items of a file, and its end with the comments before it."""
    roles = _Roles(tree)
    words = _words(text, tokens)
    for word, following in pairwise(words):
        _move_comments(word, following, is_block=word.start in roles.blocks)
        word.glued = word.start in roles.glued
    return _Reader(words, roles).items(), words[-1]


# --- words and comments -----------------------------------------------------------------------------------------------


def _words(text: str, tokens: Iterable[Token]) -> list[Word]:
    words: list[Word] = []
    at = 0
    for token in tokens:
        start = token.start_pos or 0
        word = Word(token.type, str(token), start, token.line or 1)
        _take_gap(word, text[at:start], first=not words)
        words.append(word)
        at = token.end_pos or start
    end = Word(END, "", len(text), 0)
    _take_gap(end, text[at:], first=False)
    return [*words, end]


def _take_gap(word: Word, gap: str, *, first: bool) -> None:
    """The comments between two words."""
    if "\n" not in gap and "#" not in gap:
        return
    at = 0
    while (sign := gap.find("#", at)) >= 0:
        breaks = gap.count("\n", at, sign)
        if not word.comments:
            word.trailing = not breaks and not first
        end = gap.find("\n", sign)
        end = len(gap) if end < 0 else end
        word.comments.append(Comment(gap[sign:end].rstrip(), breaks > 1))
        at = end
    word.blank = gap.count("\n", at) > 1


def _move_comments(word: Word, following: Word, *, is_block: bool) -> None:
    if not word.comments:
        return
    if word.kind == "COMMA" or (is_block and len(word.comments) == 1 and not following.trailing):
        following.trailing = word.trailing or is_block
        following.comments = word.comments + following.comments
        word.comments = []


# --- structure --------------------------------------------------------------------------------------------------------


class _Roles:
    """What the words at these places are."""

    def __init__(self, tree: Tree[Token]) -> None:
        self.items: dict[int, str] = {}
        self.groups: dict[int, str] = {}
        self.blocks: set[int] = set()
        self.glued: set[int] = set()
        open_: list[Tree[Token]] = [tree]
        while open_:
            node = open_.pop()
            self._see(node)
            open_ += [child for child in node.children if isinstance(child, Tree)]

    def _see(self, node: Tree[Token]) -> None:
        kind = str(node.data)
        tokens = [child for child in node.children if isinstance(child, Token)]
        if kind in _ITEMS:
            self.items[tokens[0].start_pos or 0] = kind
        if kind in _ITEMS or kind in ("else_if", "otherwise"):
            self.blocks.update(token.start_pos or 0 for token in tokens if token.type == "LBRACE")
        elif kind in _GROUPS:
            opening = next(token for token in tokens if token.type in ("LSQB", "LBRACE", "LPAR"))
            self.groups[opening.start_pos or 0] = kind
        if kind in ("type", "star", "index", "parallel", "either", "previous"):
            self.glued.update(token.start_pos or 0 for token in tokens if token.type in ("LSQB", "LPAR"))


class _Reader:
    """Puts words together. The depth of the calls is bounded, since the parser bounds that of the brackets."""

    def __init__(self, words: list[Word], roles: _Roles) -> None:
        self.words = words
        self.roles = roles
        self.at = 0

    def _take(self) -> Word:
        self.at += 1
        return self.words[self.at - 1]

    def items(self) -> list[Item]:
        items = []
        while self.words[self.at].kind not in ("RBRACE", END):
            items.append(self._item())
        return items

    def _item(self) -> Item:
        kind = self.roles.items[self.words[self.at].start]
        parts: list[Part] = [self._take()]
        while True:
            word = self.words[self.at]
            if word.kind in ("RBRACE", END) or word.start in self.roles.items:
                return Item(kind, parts)
            parts.append(self._part())

    def _part(self) -> Part:
        word = self.words[self.at]
        if word.start in self.roles.blocks:
            self.at += 1
            items = self.items()
            close = self._take()
            return Block(word, items, close, word.line == close.line)
        if word.start in self.roles.groups:
            return self._group()
        return self._take()

    def _group(self) -> Group:
        opening = self._take()
        kind = self.roles.groups[opening.start]
        group = Group(kind, opening, [], [], opening)
        element: list[Part] = []
        inner = 0  # brackets that are no group: `[*]`, `(` and `)`
        while inner or self.words[self.at].kind not in ("RSQB", "RBRACE", "RPAR"):
            word = self.words[self.at]
            comma = word.kind == "COMMA"
            if comma or (kind == "object" and element and self.words[self.at + 1].kind == "EQUAL"):
                group.elements.append(element)
                group.commas.append(comma)
                element = []
            if comma:
                self.at += 1
            else:
                element.append(part := self._part())
                if part is word:
                    inner += (word.kind in ("LSQB", "LPAR")) - (word.kind in ("RSQB", "RPAR"))
        if element:
            group.elements.append(element)
        # The one after the last element separates nothing.
        del group.commas[max(len(group.elements) - 1, 0) :]
        group.close = self._take()
        return group
