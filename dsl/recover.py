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
from .lookahead import Lookahead
from .places import Open, Suspect, head, indent, is_first, line_ends_before
from .spans import Source, Span
from .suggest import closest
from .tokens import END, described, expected, span, words

# Blocks in blocks, and the parser's stack within the innermost block: lines and elements do not add to it, only what
# stands inside something else does. Both together keep every pass that recurses far from Python's limit.
_MOST_BLOCKS = 64
_DEEPEST = 100
_MOST_ERRORS = 50

_INSERTED = ("EQUAL", "COLON", "LBRACE", "RSQB", "RPAR", "COMMA", "RBRACE", "NAME")
_DROPPED = {"RBRACE", "RSQB", "RPAR", "EQUAL", "COLON", "COMMA", "DOT", "STAR", "BAD_CHAR", "EQ"}
_BAD_TEXTS = {"BAD_STRING", "BAD_RAW", "BAD_QUOTE"}
# What a value can begin with where one may be missing its `=`.
_VALUES = {"NUMBER", "STRING", "TRUE", "FALSE", "COLON", "EQ", "BAD_CHAR", *_BAD_TEXTS}
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
class _Run:
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
    # Words of the language that were given as names: said once, not at every use.
    _misnamed: set[str] = field(default_factory=set)
    # A string or a script without an end has swallowed braces: what is said about braces after it would be wrong.
    _swallowed: bool = False

    def parse(self) -> Tree[Token] | None:
        interactive = self.parser.parse_interactive(self.source.text)
        self._state = interactive.parser_state
        self._look = Lookahead(self._state.parse_conf)
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
        size = len(self._state.state_stack)
        base = self._open[-1].base if self._open else 0
        if token.type == "LBRACE":
            if not self._look.welcome(self._state.state_stack, "STRING"):  # no object's brace
                base = size
            self._open.append(Open(token, head(self.source, self._last or token), indent(self.source, token), base))
        elif token.type == "RBRACE" and self._open:
            opened = self._open.pop()
            if self._suspect is None and is_first(self.source, token) and indent(self.source, token) != opened.indent:
                self._suspect = Suspect(opened, token)
        if size - base > _DEEPEST or (size == base and len(self._open) > _MOST_BLOCKS):
            self.diagnostics.append(faults.too_deep(span(token)))
            raise _Stop
        self._fed += 1
        self._before_last, self._last = self._last, token

    def _feed(self, token: Token) -> None:
        self._state.feed_token(token)
        self._shifted(token)

    def _end(self, token: Token) -> Tree[Token] | None:
        if not self._look.welcome(self._state.state_stack, END):
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
        while not self._look.welcome(self._state.state_stack, END):
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
        if self._own_input(token) or self._as_name(token) or self._type_first(token) or self._typed_input(token):
            return
        missing_value = self._missing_value(token)
        report = missing_value or self._unexpected(token)
        if missing_value is None and (self._insert(token, 2, report) or self._drop(token, report)):
            return
        if missing_value is None and self._insert(token, 1, report):
            return
        self._report(report, token)
        self._skip(token)

    def _own_input(self, token: Token) -> bool:
        """Read `in.x`, formed like `out.x`, as `x`."""
        if token.type != "IN" or self._following() != ["DOT", "NAME"]:
            return False
        if not self._look.welcome(self._state.state_stack, "NAME"):
            return False
        help_ = (f"the name of an input stands for itself: write `{self._ahead[1]}`",)
        self._report(faults.unexpected("a value", "`in`", span(token), help_), token)
        self._next()
        return True

    def _as_name(self, token: Token) -> bool:
        """Take a keyword or a number for the name that stands here; the builder complains about `1a`."""
        stack = self._state.state_stack
        if token.type == "NUMBER":
            is_name = self._look.accepts(stack) <= {"NAME", "EACH"}
        else:
            is_name = token in tables.KEYWORDS and not line_ends_before(self.source, self._last, token)
        if not is_name or not self._look.welcome(stack, "NAME", *self._following(1)):
            return False
        if token.type != "NUMBER" and token not in self._misnamed:
            self._misnamed.add(str(token))
            self._report(faults.keyword_as_name(token, span(token)), token)
        self._feed(_made("NAME", token, str(token)))
        return True

    def _type_first(self, token: Token) -> bool:
        """Read `out int count` as `out count: int`."""
        last, before = self._last, self._before_last
        if token.type != "NAME" or last is None or before is None or before.type not in ("OUT", "PARAM"):
            return False
        if last not in tables.TYPES or last.line != token.line:
            return False
        self._report(self._unexpected(token), token)
        self._state.value_stack[-1] = token
        self._feed(_made("COLON", token))
        self._feed(last)
        return True

    def _typed_input(self, token: Token) -> bool:
        """Read `in x: int = y` as `in x = y`."""
        before = self._before_last
        if token.type != "COLON" or before is None or before.type != "IN":
            return False
        self._report(self._unexpected(token), token)
        while (following := self._peek()) is not None and following.type in ("NAME", "LSQB", "RSQB"):
            if following.line != token.line:
                break
            self._next()
        # Without a value it is unknown what the input was to be.
        self.damaged = self.damaged or following is None or following.type != "EQUAL"
        return True

    def _respell(self, token: Token) -> bool:
        """Take a misspelt keyword, this token or the name just read, for the keyword."""
        stack, last = self._state.state_stack, self._last
        if token.type == "NAME" and (found := self._look.keyword_like(token, stack, self._following())):
            self._misspelt(token, found)
            self._feed(_made(found.upper(), token, found))
            return True
        if last is None or last.type != "NAME" or not self._is_item():
            return False
        if token.type in ("RAW", "BAD_RAW") and self._look.welcome(stack[:-1], "RUN", "NAME", token.type):
            language = closest(last.removeprefix("run"), tables.SCRIPT_LANGUAGES) or tables.SCRIPT_LANGUAGES[0]
            help_ = f"write `run {language} '''…'''`"
            self._report(faults.unexpected("`run`", f"{described(last)} and a script", span(last), (help_,)), last)
            meant = [_made("RUN", last, "run"), _made("NAME", last, language)]
        else:
            found = self._look.keyword_like(last, stack[:-1], [token.type, *self._following(1)])
            if found is None and token.type == "LSQB" and self._look.welcome(stack[:-1], "RUN", token.type):
                found = "run"  # no setting is a list
            if found is None:
                return False
            self._misspelt(last, found)
            meant = [_made(found.upper(), last, found)]
        del stack[-1], self._state.value_stack[-1]
        for word in meant:
            self._state.feed_token(word)
        self._feed(token)
        return True

    def _misspelt(self, word: Token, found: str) -> None:
        self._report(faults.keyword_misspelt(word, span(word), found), word)

    def _is_item(self) -> bool:
        """Whether the word just read stands where a line of a step or of the flow may begin."""
        stack, accepts = self._state.state_stack, self._look.accepts
        return accepts(stack) <= {"EQUAL", "LBRACE"} and accepts(stack[:-1]) > {"NAME", "RBRACE"}

    def _insert(self, token: Token, ahead: int, report: Diagnostic) -> bool:
        following = self._following(ahead)
        for kind in _INSERTED:
            if kind in ("EQUAL", "LBRACE") and self._begins_nothing(kind, token):
                continue
            if self._look.welcome(self._state.state_stack, kind, token.type, *following):
                if kind == "RBRACE" and self._open:
                    opened = self._open[-1]
                    if self._is_inside(token, opened):
                        self._misplaced(token)
                        return True
                    found = described(token)
                    report = faults.not_closed(span(opened.token), opened.opens, found, span(token), None)
                self._report(report, token)
                self.damaged = self.damaged or kind == "NAME"
                self._feed(_made(kind, token))
                self._feed(token)
                return True
        return False

    def _begins_nothing(self, kind: str, token: Token) -> bool:
        """Whether the word just read begins no line of which this sign may be missing: `return 3`, `let x = 3`."""
        if self._last is None or not self._is_item():
            return False
        if kind == "LBRACE":
            return self._last not in tables.FRAMEWORKS
        return token.type not in _VALUES or self._last not in tables.SETTINGS

    def _is_inside(self, token: Token, opened: Open) -> bool:
        is_line = token.type in _LINES and is_first(self.source, token)
        return is_line and len(indent(self.source, token)) > len(opened.indent)

    def _misplaced(self, token: Token) -> None:
        """`param` or `step` among the lines of a step, by its indentation: pass over it."""
        accepts = self._look.accepts(self._state.state_stack)
        help_ = (f"`{token}` stands in the flow, not in a step",)
        self._report(faults.unexpected(expected(accepts), described(token), span(token), help_), token)
        self._skip(self._next())

    def _drop(self, token: Token, report: Diagnostic) -> bool:
        if token.type not in _DROPPED or not self._look.welcome(self._state.state_stack, *self._following()):
            return False
        self._report(report, token)
        return True

    def _skip(self, token: Token) -> None:
        """Go on at a line that can be read, taking back what was begun."""
        self.damaged = True
        depth = 0
        while token.type != END:
            if depth == 0 and self._opens_line(token):
                is_sure = token.type != "NAME" and is_first(self.source, token)
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
            return is_first(self.source, token) or following in ("LBRACE", "NAME")
        if token.type in ("RUN", "OUT", "SECRET"):
            return following != "DOT"
        if token.type == "NAME":
            return following in ("EQUAL", "LBRACE") and is_first(self.source, token)
        return token.type in _LINES or token.type == "RBRACE"

    def _unwind(self, *kinds: str, but: int = 0) -> bool:
        """Take the parser back to the nearest state in which these tokens are welcome; False leaves it as it is.

        `but` is a depth of the stack that is not good enough.
        """
        states, values = self._state.state_stack, self._state.value_stack
        for size in range(len(states), 0, -1):
            if size != but and self._look.welcome(states[:size], *kinds):
                del states[size:]
                del values[size - 1 :]
                # Braces that were taken back are no longer open.
                opened = sum(1 for value in values if isinstance(value, Token) and value.type == "LBRACE")
                del self._open[opened:]
                return True
        return False

    def _finished(self) -> bool:
        return self._last is not None and self._last.type == "RBRACE" and not self._open

    # --- reporting ----------------------------------------------------------------------------------------------------

    def _report(self, diagnostic: Diagnostic, token: Token) -> None:
        about_braces = diagnostic.code in ("F0102", "F0103")
        # A word may be complained about only when the next line shows that it begins nothing.
        start = token.start_pos if about_braces or diagnostic.span is None else diagnostic.span.start
        line = self.source.position(start or 0).line
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

    def _unexpected(self, token: Token) -> Diagnostic:
        if self._last is None:
            return faults.no_flow(span(token))
        stack, last, before = self._state.state_stack, self._last, self._before_last
        accepts = self._look.accepts(stack)
        if last.type == "NAME" and accepts <= {"EQUAL", "LBRACE"}:
            # A word that begins nothing: the mistake is the word, not what stands on the next line.
            is_item = self._is_item()
            if last.line != token.line and (is_first(self.source, last) or not is_item):
                what = f"{expected(accepts)} after {described(last)}"
                return faults.unexpected(what, described(token), span(last), hints.syntax(before, last, token))
            if is_item and (last.line != token.line or token.type not in {"LPAR", "LBRACE", "STAR", *_VALUES}):
                accepts = self._look.accepts(stack[:-1])
                return faults.unexpected(
                    expected(accepts), described(last), span(last), hints.syntax(None, before, last)
                )
        return faults.unexpected(expected(accepts), described(token), span(token), hints.syntax(before, last, token))

    def _missing_value(self, token: Token) -> Diagnostic | None:
        """`cpu =` and on the next line `memory = 2GiB`: the parser has read `cpu = memory`."""
        last, before = self._last, self._before_last
        if last is not None and line_ends_before(self.source, self._last, token):
            if last.type == "COLON":
                return faults.unexpected("a type", described(token), span(last))
            return faults.value_missing(span(last))
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
        if token not in self._misnamed:
            self._misnamed.add(str(token))
            self._report(faults.reserved_word(token, span(token)), token)
        if self._look.welcome(self._state.state_stack, "NAME", *self._following()):
            self._feed(token)
            return
        # Not the word itself: a line that it begins would lead here again.
        self._skip(self._next())

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
        following = self._peek()
        is_block = token.value == "/" and following is not None and following.type == "STAR"
        is_comment = is_block or token.startswith("//") or (token.startswith("--") and is_first(self.source, token))
        help_ = hints.COMMENT if is_comment else hints.character(token)
        self._report(faults.bad_character(token, span(token), help_), token)
        if is_comment:
            end = self.source.text.find("*/", span(token).end) if is_block else -1
            while following is not None and (following.line == token.line or span(following).start < end + 2):
                self._next()
                following = self._peek()
            return
        stack, kinds = self._state.state_stack, self._following()
        is_name = following is not None and following.type == "NAME" and following.start_pos == token.end_pos
        if is_name and self._look.welcome(stack, "BAD_CHAR", *self._following(3)[1:]):
            # `$name`: one value, and one message about it.
            self._next()
            self._feed(token)
            return
        if self._look.welcome(stack, "BAD_CHAR", *kinds):
            self._feed(token)


def _made(kind: str, at: Token, text: str = "") -> Token:
    """A token that nobody wrote."""
    end = at.end_pos if text else at.start_pos
    return Token(kind, text, at.start_pos, at.line, at.column, at.line, at.column, end)
