"""Turns a valid program into nearby broken (and sometimes still valid) ones; the same seed gives the same programs.

Random bytes die in the lexer's first line; what finds mistakes is text that is almost right. So the unit is the token,
with characters mixed in for what goes wrong inside a token.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

TOKEN = re.compile(r"'''|\"(?:\\.|[^\"\\\n])*\"|\w+|\s+|.", re.DOTALL)

# What a mutation may put in: the language's own words and signs, and characters that upset careless tools.
_SPELLINGS = """
    flow param defaults step in out after env run call parallel torchrun foreach if else repeat until finally
    secret schedule on main each either previous edition import template bash python true false and or not
    string int float bool file dir json pickle list image cpu memory gpu shm timeout retries argo sfn local
    { } ( ) [ ] [*] , . = : == < > ''' ''' " # ## $ ${x} \\ @ ; - + * /
    0 1 -1 1e400 1e-400 007 16GiB 16Gi 2h 2.5h 99999999999999999999999999 0.1.2 3x
"""
_CHARACTERS = (
    *("\n", "\r", "\r\n", "\t", " ", "\x00", "\x0b"),
    *("\ufeff", "\u00a0", "\u2028", "\u202e", "\u00e9", "\ufb01", "\U0001f600"),
)
WORDS = (*_SPELLINGS.split(), *_CHARACTERS)

Tokens = list[str]


def _delete(tokens: Tokens, rng: random.Random) -> None:
    start = rng.randrange(len(tokens))
    del tokens[start : start + rng.choice((1, 1, 1, 2, 5, 20))]


def _duplicate(tokens: Tokens, rng: random.Random) -> None:
    start = rng.randrange(len(tokens))
    part = tokens[start : start + rng.choice((1, 2, 5, 40))]
    tokens[start:start] = part * rng.choice((1, 1, 2, 8))


def _insert(tokens: Tokens, rng: random.Random) -> None:
    tokens.insert(rng.randrange(len(tokens) + 1), rng.choice(WORDS))


def _replace(tokens: Tokens, rng: random.Random) -> None:
    tokens[rng.randrange(len(tokens))] = rng.choice(WORDS)


def _swap(tokens: Tokens, rng: random.Random) -> None:
    first, second = rng.randrange(len(tokens)), rng.randrange(len(tokens))
    tokens[first], tokens[second] = tokens[second], tokens[first]


def _move(tokens: Tokens, rng: random.Random) -> None:
    start = rng.randrange(len(tokens))
    part = tokens[start : start + rng.choice((3, 10, 30))]
    del tokens[start : start + len(part)]
    place = rng.randrange(len(tokens) + 1)
    tokens[place:place] = part


def _truncate(tokens: Tokens, rng: random.Random) -> None:
    del tokens[rng.randrange(len(tokens)) :]


def _damage(tokens: Tokens, rng: random.Random) -> None:
    index = rng.randrange(len(tokens))
    token = tokens[index]
    place = rng.randrange(len(token) + 1)
    tokens[index] = token[:place] + rng.choice(("", "_", "'", '"', "0", "Z", "\n", "\u0301")) + token[place + 1 :]


def _nest(tokens: Tokens, rng: random.Random) -> None:
    opening, closing = rng.choice((("[", "]"), ("(", ")"), ("{", "}"), ("list[", "]")))
    depth = rng.choice((2, 30, 400))
    index = rng.randrange(len(tokens))
    tokens[index] = opening * depth + tokens[index] + closing * rng.choice((depth, depth - 1))


MUTATIONS: Sequence[Callable[[Tokens, random.Random], None]] = (
    _delete,
    _duplicate,
    _insert,
    _replace,
    _replace,
    _swap,
    _move,
    _truncate,
    _damage,
    _nest,
)


def mutate(text: str, rng: random.Random) -> str:
    """The text after one to six random changes."""
    tokens = TOKEN.findall(text)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        if tokens:
            rng.choice(MUTATIONS)(tokens, rng)
    return "".join(tokens)


def cross(one: str, other: str, rng: random.Random) -> str:
    """A part of the one text in a place of the other, perhaps instead of what stood there."""
    given, tokens = TOKEN.findall(one), TOKEN.findall(other)
    start = rng.randrange(len(given) + 1)
    part = given[start : start + rng.choice((3, 10, 30, 100))]
    place = rng.randrange(len(tokens) + 1)
    tokens[place : place + rng.choice((0, 0, len(part)))] = part
    return "".join(tokens)
