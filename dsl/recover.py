"""Feeding tokens to the LALR parser, and going on after a syntax error.

Takes a Lark parser and a text; gives the tree (None when nothing could be saved), diagnostics, and whether lines were
lost. An unexpected token is answered, in this order, by taking a keyword for the name it was meant as, by inserting one
sign, by dropping one sign, and at last by skipping to a line from which the rest can be read (a keyword that opens a
line, `name =`, or the closing brace), and taking back the parser's stack to where that line is welcome. A second error
on the same line within three tokens is a consequence of the first and is not reported.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lark import Lark, Token, Tree, UnexpectedToken

from . import faults, hints, tables
from .diagnostics import Diagnostic
from .spans import Source, Span
from .suggest import closest
from .tokens import END, described, expected, span, words

# The parser's stack. Lines and elements do not add to it, only what stands inside something else does.
_DEEPEST = 100
_MOST_ERRORS = 50

_INSERTED = ("EQUAL", "COLON", "LBRACE", "RSQB", "RPAR", "COMMA", "RBRACE", "NAME")
_DROPPED = {"RBRACE", "RSQB", "RPAR", "EQUAL", "COLON", "COMMA", "DOT", "STAR", "BAD_CHAR", "EQ"}
_BAD_TEXTS = {"BAD_STRING", "BAD_RAW", "BAD_QUOTE"}
# Words that open a line wherever they stand.
_LINES = {"STEP", "PARAM", "DEFAULTS", "AFTER", "ENV", "CALL", "FOREACH", "REPEAT", "FINALLY", "SCHEDULE", "FLOW"}


@dataclass(slots=True)
class Parsed:
    tree: Tree[Token] | None
    diagnostics: list[Diagnostic]
    damaged: bool


def parse_tokens(parser: Lark, source: Source) -> Parsed:
    run = _Run(parser, source)
    tree = run.parse()
    assert tree is not None or run.diagnostics
    return Parsed(tree, run.diagnostics, run.damaged)


class _Stop(Exception):
    """Nothing after this place is worth reading."""


@dataclass(slots=True)
class _Open:
    """An opening brace: the words before it, and the pair's indentation."""

    token: Token
    opens: str
    indent: str


@dataclass(slots=True)
class _Suspect:
    opened: _Open
    closed: Token


@dataclass(slots=True)
class _Run:
    parser: Lark
    source: Source
    diagnostics: list[Diagnostic] = field(default_factory=list)
    damaged: bool = False
    _state: Any = None
    _tokens: Iterator[Token] = field(default_factory=lambda: iter(()))
    _ahead: deque[Token] = field(default_factory=deque)
    _last: Token | None = None
    _before_last: Token | None = None
    _fed: int = 0
    _error_line: int = 0
    _errors: int = 0
    _repairs: int = 0
    _open: list[_Open] = field(default_factory=list)
    _suspect: _Suspect | None = None
    # A string or a script without an end has swallowed braces: what is said about braces after it would be wrong.
    _swallowed: bool = False

    def parse(self) -> Tree[Token] | None:
        interactive = self.parser.parse_interactive(self.source.text)
        self._state = interactive.parser_state
        lexer: Any = interactive.lexer_thread
        self._tokens = words(lexer.lex(self._state))
        try:
            while True:
                token = self._next()
                if token.type == END:
                    return self._end(token)
                self._take(token)
        except _Stop:
            self.damaged = True
            return None

    # --- reading ------------------------------------------------------------------------------------------------------

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

    def _take(self, token: Token) -> None:
        if token.type == "NAME" and token in tables.RESERVED:
            self._reserved(token)
            return
        if token.type == "BAD_CHAR":
            self._bad_character(token)
            return
        if token.type in _BAD_TEXTS:
            self._bad_text(token)
        try:
            self._state.feed_token(token)
        except UnexpectedToken:
            self._repair(token)
            return
        self._shifted(token)

    def _shifted(self, token: Token) -> None:
        if token.type == "NUMBER" and self._last is not None and self._last.type == "EDITION":
            self._edition(token)
        if len(self._state.state_stack) > _DEEPEST:
            self.diagnostics.append(faults.too_deep(span(token)))
            raise _Stop
        if token.type == "LBRACE":
            self._open.append(_Open(token, self._head(), self._indent(token)))
        elif token.type == "RBRACE" and self._open:
            opened = self._open.pop()
            if self._suspect is None and self._is_first(token) and self._indent(token) != opened.indent:
                self._suspect = _Suspect(opened, token)
        self._fed += 1
        self._before_last, self._last = self._last, token

    def _feed(self, token: Token) -> None:
        self._state.feed_token(token)
        self._shifted(token)

    def _end(self, token: Token) -> Tree[Token] | None:
        if not self._welcome(self._state.state_stack, END):
            if self._open:
                opened = self._suspect.opened if self._suspect else self._open[-1]
                suspect = span(self._suspect.closed) if self._suspect else None
                self._report(
                    faults.not_closed(span(opened.token), opened.opens, described(token), None, suspect), token
                )
            elif self._last is None:
                self._report(faults.no_flow(Span(0, 0)), token)
            else:
                self._report(self._unexpected(token), token)
        return self._close(token)

    def _close(self, token: Token) -> Tree[Token] | None:
        """The tree of what was read, with closing braces added."""
        useless = 0
        while not self._welcome(self._state.state_stack, END):
            self.damaged = True
            if not self._unwind("RBRACE", but=useless):
                return None
            # A brace that is taken back at once (`[{` has no end in `}`) must not be tried again.
            useless = len(self._state.state_stack)
            self._state.feed_token(_made("RBRACE", token))
        tree = self._state.feed_token(_made(END, token), True)
        assert isinstance(tree, Tree)
        return tree

    # --- repairing ----------------------------------------------------------------------------------------------------

    def _repair(self, token: Token) -> None:
        if self._finished():
            self._after_flow(token)
        if self._respell(token):
            return
        stack = self._state.state_stack
        if token in tables.KEYWORDS and self._welcome(stack, "NAME", *self._following(1)):
            self._report(faults.keyword_as_name(token, span(token)), token)
            self._feed(_made("NAME", token, str(token)))
            return
        missing_value = self._missing_value(token)
        report = missing_value or self._unexpected(token)
        if missing_value is None and (self._insert(token, 2, report) or self._drop(token, report)):
            return
        if missing_value is None and self._insert(token, 1, report):
            return
        self._report(report, token)
        self._skip(token)

    def _respell(self, token: Token) -> bool:
        """Take a misspelt keyword, this token or the name just read, for the keyword."""
        stack, last = self._state.state_stack, self._last
        if token.type == "NAME" and (found := self._keyword_like(token, stack, self._following())):
            self._report(faults.keyword_misspelt(token, span(token), found), token)
            self._feed(_made(found.upper(), token, found))
            return True
        if last is None or last.type != "NAME" or not self._is_first(last):
            return False
        found = self._keyword_like(last, stack[:-1], [token.type, *self._following(1)])
        if found is None:
            return False
        self._report(faults.keyword_misspelt(last, span(last), found), last)
        del stack[-1], self._state.value_stack[-1]
        self._state.feed_token(_made(found.upper(), last, found))
        self._feed(token)
        return True

    def _keyword_like(self, word: Token, stack: list[Any], following: list[str]) -> str | None:
        fitting = [kind.lower() for kind in self._accepts(stack) if self._welcome(stack, kind, *following)]
        words_ = sorted(kind for kind in fitting if kind in tables.KEYWORDS)
        alias = tables.KEYWORD_ALIASES.get(word.lower())
        return alias if alias in words_ else closest(word, words_)

    def _insert(self, token: Token, ahead: int, report: Diagnostic) -> bool:
        following = self._following(ahead)
        for kind in _INSERTED:
            if self._welcome(self._state.state_stack, kind, token.type, *following):
                if kind == "RBRACE" and self._open:
                    opened = self._open[-1]
                    found = described(token)
                    report = faults.not_closed(span(opened.token), opened.opens, found, span(token), None)
                self._report(report, token)
                self.damaged = self.damaged or kind == "NAME"
                self._feed(_made(kind, token))
                self._feed(token)
                return True
        return False

    def _drop(self, token: Token, report: Diagnostic) -> bool:
        if token.type not in _DROPPED or not self._welcome(self._state.state_stack, *self._following()):
            return False
        self._report(report, token)
        return True

    def _skip(self, token: Token) -> None:
        """Go on at a line that can be read, taking back what was begun."""
        self.damaged = True
        depth = 0
        while token.type != END:
            if depth == 0 and self._opens_line(token):
                is_sure = token.type != "NAME" and self._is_first(token)
                if self._unwind(token.type, *self._following(1)) or (is_sure and self._unwind(token.type)):
                    self._take(token)
                    return
            if token.type == "LBRACE":
                depth += 1
            elif token.type == "RBRACE" and depth:
                depth -= 1
            token = self._next()
        # An end of the file within what was skipped is a consequence.
        raise _Stop

    def _opens_line(self, token: Token) -> bool:
        following = "".join(self._following(1))
        if token.type in ("IN", "IF", "ON", "MAIN"):
            return self._is_first(token) or following in ("LBRACE", "NAME")
        if token.type in ("RUN", "OUT", "SECRET"):
            return following != "DOT"
        if token.type == "NAME":
            return following in ("EQUAL", "LBRACE") and self._is_first(token)
        return token.type in _LINES or token.type == "RBRACE"

    def _unwind(self, *kinds: str, but: int = 0) -> bool:
        """Take the parser back to the nearest state in which these tokens are welcome; False leaves it as it is.

        `but` is a depth of the stack that is not good enough.
        """
        states, values = self._state.state_stack, self._state.value_stack
        for size in range(len(states), 0, -1):
            if size != but and self._welcome(states[:size], *kinds):
                del states[size:]
                del values[size - 1 :]
                # Braces that were taken back are no longer open.
                opened = sum(1 for value in values if isinstance(value, Token) and value.type == "LBRACE")
                del self._open[opened:]
                return True
        return False

    def _welcome(self, stack: list[Any], *kinds: str) -> bool:
        """Whether the parser, with this stack of states, would take these tokens one after the other."""
        conf = self._state.parse_conf
        states = conf.states
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
                if kind == END and stack[-1] == conf.end_state:
                    return True
        return True

    def _finished(self) -> bool:
        return self._last is not None and self._last.type == "RBRACE" and not self._open

    # --- reporting ----------------------------------------------------------------------------------------------------

    def _report(self, diagnostic: Diagnostic, token: Token) -> None:
        line = token.line or 0
        about_braces = diagnostic.code in ("F0102", "F0103")
        after_bad_text = self._last is not None and self._last.type in ("BAD_STRING", "BAD_RAW")
        if after_bad_text or (about_braces and self._swallowed):
            pass  # it has swallowed what is missing here
        elif line != self._error_line or self._fed >= 3:
            self.diagnostics.append(diagnostic)
            self._errors += 1
        self._error_line, self._fed = line, 0
        self._repairs += 1
        if self._errors >= _MOST_ERRORS or self._repairs >= 10 * _MOST_ERRORS:
            self.diagnostics.append(faults.too_many_errors(span(token)))
            raise _Stop

    def _accepts(self, stack: list[Any]) -> set[str]:
        kinds = self._state.parse_conf.states[stack[-1]]
        return {kind for kind in kinds if kind.isupper() and self._welcome(stack, kind)}

    def _unexpected(self, token: Token) -> Diagnostic:
        if self._last is None:
            return faults.no_flow(span(token))
        stack, last = self._state.state_stack, self._last
        accepts = self._accepts(stack)
        if last.type == "NAME" and last.line != token.line and accepts <= {"EQUAL", "LBRACE"}:
            # A word that begins nothing: the mistake is the word, not what stands on the next line.
            if self._is_first(last):
                return faults.unexpected(f"{expected(accepts)} after {described(last)}", described(token), span(last))
            accepts, token = self._accepts(stack[:-1]), last
        return faults.unexpected(
            expected(accepts), described(token), span(token), hints.syntax(self._before_last, self._last, token)
        )

    def _missing_value(self, token: Token) -> Diagnostic | None:
        """`cpu =` and on the next line `memory = 2GiB`: the parser has read `cpu = memory`."""
        last, before = self._last, self._before_last
        if token.type not in ("EQUAL", "LBRACE", "COLON") or last is None or before is None or before.type != "EQUAL":
            return None
        if last.type != "NAME" or before.line == last.line:
            return None
        return faults.value_missing(span(before))

    def _after_flow(self, token: Token) -> None:
        assert self._last is not None
        second = token.type == "FLOW"
        self._report(faults.text_after_flow(described(token), span(token), span(self._last), second=second), token)
        raise _Stop

    def _edition(self, token: Token) -> None:
        if token != str(tables.EDITION):
            # What else is odd may be good in that edition.
            self.diagnostics = [faults.unknown_edition(str(token), span(token))]
            raise _Stop

    def _reserved(self, token: Token) -> None:
        self._report(faults.reserved_word(token, span(token)), token)
        if self._welcome(self._state.state_stack, "NAME", *self._following()):
            self._feed(token)
            return
        self._skip(token)

    def _bad_text(self, token: Token) -> None:
        """Said at once, whatever becomes of it: it is read as the string or script that it was meant as."""
        place = span(token)
        if token.type == "BAD_QUOTE":
            self.diagnostics.append(faults.single_quotes(str(token), place))
        elif token.type == "BAD_STRING":
            end = place.start + len(token.rstrip())
            self.diagnostics.append(faults.string_not_closed(Span(place.start, end)))
        else:
            # The opening quotes alone: what was meant to follow the script is inside it now.
            self.diagnostics.append(faults.script_not_closed(Span(place.start, place.start + 3)))
        if token.type != "BAD_QUOTE" and ("{" in token or "}" in token):
            self._swallowed = self.damaged = True

    def _bad_character(self, token: Token) -> None:
        self._report(faults.bad_character(token, span(token), hints.character(token)), token)
        following = self._peek()
        is_star = following is not None and following.type == "STAR"
        if token.startswith(("//", "/*")) or (token.value == "/" and is_star):
            # Meant as a comment.
            while following is not None and following.line == token.line:
                self._next()
                following = self._peek()
            return
        stack, kinds = self._state.state_stack, self._following()
        is_name = following is not None and following.type == "NAME" and following.start_pos == token.end_pos
        if is_name and self._welcome(stack, "BAD_CHAR", *self._following(3)[1:]):
            # `$name`: one value, and one message about it.
            self._next()
            self._feed(token)
            return
        if not self._welcome(stack, *kinds) and self._welcome(stack, "BAD_CHAR", *kinds):
            self._feed(token)

    # --- where braces stand -------------------------------------------------------------------------------------------

    def _head(self) -> str:
        """The construct that an opening brace belongs to: the first words of its line."""
        assert self._last is not None
        line = self.source.line_text(self._last.line or 1)
        return f"`{' '.join(line.partition('{')[0].split()[:2])}`"

    def _indent(self, token: Token) -> str:
        line = self.source.line_text(token.line or 1)
        return line[: len(line) - len(line.lstrip())]

    def _is_first(self, token: Token) -> bool:
        return not self.source.line_text(token.line or 1)[: (token.column or 1) - 1].strip()


def _made(kind: str, at: Token, text: str = "") -> Token:
    """A token that nobody wrote."""
    end = at.end_pos if text else at.start_pos
    return Token(kind, text, at.start_pos, at.line, at.column, at.line, at.column, end)
