"""Feed: a token at a time to the LALR parser, with what the repairs of `recover` need to know and to take back.

Holds the parser's stack, the tokens ahead, the open braces and the diagnostics. A second error on the same line within
three tokens is a consequence of the first and is not reported.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lark import Lark, Token, Tree

from . import faults, tables
from .diagnostics import Diagnostic
from .lookahead import Lookahead
from .places import Open, Suspect, head, indent, is_first
from .spans import Source
from .tokens import END, span

# Blocks in blocks, and the parser's stack within the innermost block: lines and elements do not add to it, only what
# stands inside something else does. Both together keep every pass that recurses far from Python's limit.
_MOST_BLOCKS = 64
_DEEPEST = 100
_MOST_ERRORS = 50

# What the grammar may take for the beginning of a value.
AMBIGUOUS = {"LBRACE", "RUN", "OUT", "SECRET"}


class Stop(Exception):
    """Nothing after this place is worth reading."""


@dataclass(slots=True)
class Feed:
    parser: Lark
    source: Source
    diagnostics: list[Diagnostic] = field(default_factory=list)
    damaged: bool = False
    _state: Any = None
    _look: Lookahead = field(default_factory=lambda: Lookahead(None))
    _tokens: Iterator[Token] = field(default_factory=lambda: iter(()))
    _ahead: deque[Token] = field(default_factory=deque)
    _last: Token | None = None
    _before_last: Token | None = None
    _fed: int = 0
    _error_line: int = 0
    _errors: int = 0
    _repairs: int = 0
    _open: list[Open] = field(default_factory=list)
    _suspect: Suspect | None = None
    # A string or a script without an end has swallowed braces: what is said about braces after it would be wrong.
    _swallowed: bool = False

    # --- tokens -------------------------------------------------------------------------------------------------------

    def _next(self) -> Token:
        if self._ahead:
            return self._ahead.popleft()
        token = next(self._tokens, None)
        if token is not None:
            return token
        at = len(self.source.text.rstrip())
        return Token(END, "", at, line=self.source.position(at).line, end_pos=at)

    def _peek(self) -> Token | None:
        self._following()
        return self._ahead[0] if self._ahead else None

    def _following(self, count: int = 2) -> list[str]:
        """The kinds of the next tokens, fewer at the end of the file."""
        while len(self._ahead) < count and (token := next(self._tokens, None)) is not None:
            self._ahead.append(token)
        return [token.type for token, _ in zip(self._ahead, range(count), strict=False)]

    def _feed(self, token: Token) -> None:
        self._state.feed_token(token)
        self._shifted(token)

    def _shifted(self, token: Token) -> None:
        if token.type == "NUMBER" and self._last is not None and self._last.type == "EDITION":
            self._edition(token)
        size = len(self._state.state_stack)
        base = self._open[-1].base if self._open else 0
        if token.type == "LBRACE":
            is_block = not self._look.knows(self._state.state_stack, "STRING")
            base = size if is_block else base
            words_ = head(self.source, self._last or token)
            self._open.append(Open(token, words_, indent(self.source, token), is_block, base))
        elif token.type == "RBRACE" and self._open:
            opened = self._open.pop()
            if self._suspect is None and is_first(self.source, token) and indent(self.source, token) != opened.indent:
                self._suspect = Suspect(opened, token)
        if size - base > _DEEPEST or (size == base and len(self._open) > _MOST_BLOCKS):
            self.diagnostics.append(faults.too_deep(span(token)))
            raise Stop
        self._fed += 1
        self._before_last, self._last = self._last, token

    def _edition(self, token: Token) -> None:
        if token != str(tables.EDITION):
            # What else is odd may be good in that edition.
            self.diagnostics = [faults.unknown_edition(str(token), span(token))]
            raise Stop

    # --- the stack ----------------------------------------------------------------------------------------------------

    def _unwind(self, *kinds: str, but: int = 0, keep: int = 0) -> bool:
        """Take the parser back to the nearest state in which these tokens are welcome; False leaves it as it is.

        `but` is a depth of the stack that is not good enough, `keep` how many open braces must stay open.
        """
        states = self._state.state_stack
        for size in range(len(states), 0, -1):
            if keep and self._braces(size) < keep:
                return False
            if kinds[0] in AMBIGUOUS and self._look.welcome(states[:size], kinds[0], "DOT"):
                continue  # it would be read as a value
            if kinds[0] == "IN" and not self._look.welcome(states[:size], "OUT"):
                continue  # it would be read as a part of `foreach`
            if size != but and self._look.welcome(states[:size], *kinds):
                self._cut(size)
                return True
        return False

    def _cut(self, size: int) -> None:
        """Take back what lies above this size of the stack."""
        del self._state.state_stack[size:], self._state.value_stack[size - 1 :]
        # Braces that were taken back are no longer open.
        del self._open[self._braces(size) :]

    def _braces(self, size: int) -> int:
        """How many braces are open at this size of the stack."""
        values = self._state.value_stack[: size - 1]
        return sum(1 for value in values if isinstance(value, Token) and value.type == "LBRACE")

    def _close(self, token: Token) -> Tree[Token] | None:
        """The tree of what was read, with closing braces added."""
        useless = 0
        while not self._look.welcome(self._state.state_stack, END):
            self.damaged = True
            if not self._unwind("RBRACE", but=useless):
                return None
            # A brace that is taken back at once (`[{` has no end in `}`) must not be tried again.
            useless = len(self._state.state_stack)
            self._state.feed_token(made("RBRACE", token))
        tree = self._state.feed_token(made(END, token), True)
        assert isinstance(tree, Tree)
        return tree

    def _finished(self) -> bool:
        return self._last is not None and self._last.type == "RBRACE" and not self._open

    def _is_item(self) -> bool:
        """Whether the word just read stands where a line of a step or of the flow may begin."""
        stack, accepts = self._state.state_stack, self._look.accepts
        return accepts(stack) <= {"EQUAL", "LBRACE"} and accepts(stack[:-1]) > {"NAME", "RBRACE"}

    def _in_condition(self) -> bool:
        for value in reversed(self._state.value_stack):
            if isinstance(value, Token) and value.type in ("IF", "UNTIL", "EQUAL", "LBRACE"):
                return value.type in ("IF", "UNTIL")
        return False

    # --- reporting ----------------------------------------------------------------------------------------------------

    def _report(self, diagnostic: Diagnostic, token: Token) -> None:
        about_braces = diagnostic.code in ("F0102", "F0103")
        # A word may be complained about only when the next line shows that it begins nothing.
        start = token.start_pos if about_braces or diagnostic.span is None else diagnostic.span.start
        line = self.source.position(start or 0).line
        after_bad_text = self._last is not None and self._last.type in ("BAD_STRING", "BAD_RAW")
        if after_bad_text or (about_braces and self._swallowed):
            pass  # it has swallowed what is missing here
        elif diagnostic.code == "F0103" and self.damaged and token.type != "FLOW":
            pass  # a brace may be among the lost lines
        elif line != self._error_line or self._fed >= 3:
            self.diagnostics.append(diagnostic)
            self._errors += 1
        # Nothing follows from a mistake that is put right with certainty.
        if not (diagnostic.fix and diagnostic.fix.certain):
            self._error_line, self._fed = line, 0
        self._repairs += 1
        if self._errors >= _MOST_ERRORS or self._repairs >= 10 * _MOST_ERRORS:
            self.diagnostics.append(faults.too_many_errors(span(token)))
            raise Stop


def made(kind: str, at: Token, text: str = "") -> Token:
    """A token that nobody wrote."""
    end = at.end_pos if text else at.start_pos
    return Token(kind, text, at.start_pos, at.line, at.column, at.line, at.column, end)
