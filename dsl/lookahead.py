"""What the LALR parser would take next, asked of its tables without moving it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lark import Token

from . import tables
from .suggest import closest
from .tokens import END


@dataclass(frozen=True, slots=True)
class Lookahead:
    """`conf` is Lark's `ParseConf`; stacks are stacks of its states."""

    conf: Any

    def welcome(self, stack: list[Any], *kinds: str) -> bool:
        """Whether the parser, with this stack, would take these tokens one after the other."""
        states = self.conf.states
        stack = list(stack)
        for kind in kinds:
            while True:
                found = states[stack[-1]].get(kind)
                if found is None:
                    return False
                action, argument = found
                if action.name == "Shift":
                    stack.append(argument)
                    break
                if size := len(argument.expansion):
                    del stack[-size:]
                stack.append(states[stack[-1]][argument.origin.name][1])
                if kind == END and stack[-1] == self.conf.end_state:
                    return True
        return True

    def knows(self, stack: list[Any], kind: str) -> bool:
        """Whether the table has an entry for this token: quick, and less sure than `welcome`."""
        return kind in self.conf.states[stack[-1]]

    def accepts(self, stack: list[Any]) -> set[str]:
        """The kinds of tokens that could come next."""
        kinds = self.conf.states[stack[-1]]
        return {kind for kind in kinds if kind.isupper() and self.welcome(stack, kind)}

    def keyword_like(self, word: Token, stack: list[Any], following: list[str]) -> str | None:
        """The keyword that a word was meant as, of those that may stand before what follows."""
        fitting = [kind.lower() for kind in self.accepts(stack) if self.welcome(stack, kind, *following)]
        words_ = sorted(kind for kind in fitting if kind in tables.KEYWORDS)
        others = {alias: kind for alias, kind in tables.KEYWORD_ALIASES.items() if kind in words_}
        found = closest(word, (*words_, *others))
        return others.get(found, found) if found else None
