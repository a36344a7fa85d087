"""Quick: a text without syntax errors to its tree, in half the time that `recover` takes.

Takes Lark's parser and a source; gives the tree that `recover` would give, or None for whatever it would have to say
something about, or that lies deep: then it is `recover`'s turn, with the same tokens from the start. Lark's own loop
over its tables costs more than its lexer; this one has the tables at hand and notes nothing of what repairs need.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, TypeAlias

from lark import Lark, Token, Tree

from . import tables
from .spans import Source
from .tokens import EARLY, END, words

# Fewer states than any limit on depth is about.
_DEEPEST = 60
_BAD = {"BAD_CHAR", "BAD_STRING", "BAD_RAW", "BAD_QUOTE"}
# Words that are answered though the grammar takes them for names.
_ODD = {*tables.RESERVED, *EARLY}

# By kind of token: the next state; or a tuple of how many values a rule takes, what it makes, and the function for it.
# Any, since asking for the class as mypy would have it costs more than the rest of the loop.
_Row: TypeAlias = "dict[str, Any]"


def parse(parser: Lark, source: Source) -> tuple[Tree[Token] | None, Iterator[Token]]:
    """The tree, and all tokens: those read so far, and those that the lexer has yet to read."""
    interactive = parser.parse_interactive(source.text)
    state: Any = interactive.parser_state
    lexer: Any = interactive.lexer_thread
    tokens = words(lexer.lex(state))
    read: list[Token] = []
    tree = _tree(state.parse_conf, tokens, read)
    return tree if tree is None or _is_this_edition(tree) else None, chain(read, tokens)


def _tree(conf: Any, tokens: Iterator[Token], read: list[Token]) -> Tree[Token] | None:
    rows = _rows(conf)
    states: list[int] = [conf.start_state]
    values: list[Any] = []
    row = rows[conf.start_state]

    def reduce(size: int, name: str, make: Any) -> _Row:
        parts = []
        if size:
            parts = values[-size:]
            del values[-size:], states[-size:]
        values.append(make(parts))
        states.append(rows[states[-1]][name])
        return rows[states[-1]]

    for token in tokens:
        read.append(token)
        kind = token.type
        if kind in _BAD or (kind == "NAME" and token in _ODD):
            return None
        while (action := row.get(kind)).__class__ is tuple:
            row = reduce(*action)
        if action is None:
            return None
        states.append(action)
        values.append(token)
        row = rows[action]
        if len(states) > _DEEPEST:
            return None
    while states[-1] != conf.end_state:
        if (action := row.get(END)) is None:
            return None
        row = reduce(*action)
    tree = values[-1]
    assert isinstance(tree, Tree)
    return tree


def _rows(conf: Any) -> dict[int, _Row]:
    return {
        state: {
            kind: argument
            if action.name == "Shift"
            else (len(argument.expansion), argument.origin.name, conf.callbacks[argument])
            for kind, (action, argument) in row.items()
        }
        for state, row in conf.states.items()
    }


def _is_this_edition(tree: Tree[Token]) -> bool:
    edition = tree.children[0]
    return not isinstance(edition, Tree) or edition.children[-1] == str(tables.EDITION)
