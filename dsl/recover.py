"""recover: read on after a syntax error.

Takes a Lark parser and a text; gives the tree (None when nothing could be saved), diagnostics, and whether lines were
lost. An unexpected token is answered, in this order, by reading it as people mean it who know other languages, by
taking a keyword for the name it was meant as, by inserting one sign, by dropping one sign, and at last by skipping to a
line from which the rest can be read (a keyword that opens a line, `name =`, or the closing brace), and taking back the
parser's stack to where that line is welcome.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lark import Lark, Token, Tree, UnexpectedToken

from . import faults, habits, hints, quick, tables
from .diagnostics import Diagnostic
from .feed import AMBIGUOUS, Feed, Stop, made
from .lookahead import Lookahead
from .places import Open, head, indent, is_first, line_ends_before
from .spans import Source, Span
from .suggest import closest
from .tokens import EARLY, END, described, expected, span

_INSERTED = ("EQUAL", "COLON", "LBRACE", "RSQB", "RPAR", "COMMA", "RBRACE", "NAME")
_DROPPED = {"RBRACE", "RSQB", "RPAR", "EQUAL", "COLON", "COMMA", "DOT", "STAR", "BAD_CHAR", "EQ"}
_BAD_TEXTS = {"BAD_STRING", "BAD_RAW", "BAD_QUOTE"}
# What a value can begin with where one may be missing its `=`.
_VALUES = {"NUMBER", "STRING", "TRUE", "FALSE", "COLON", "EQ", "BAD_CHAR", *_BAD_TEXTS}
# Where a brace is surely no value.
_BEFORE_BLOCK = {"IF", "MAX", "UNTIL"}
_NODES = {"STEP", "FOREACH", "IF", "REPEAT"}
_OF_STEP = {"IN", "OUT", "RUN", "CALL", "AFTER", "ENV", "ON", "MAIN"}
# How far a habit may reach.
_AHEAD = 12
# Words that open a line wherever they stand.
_LINES = {"STEP", "PARAM", "DEFAULTS", "AFTER", "ENV", "CALL", "FOREACH", "REPEAT", "FINALLY", "SCHEDULE", "FLOW"}
# Lines that stand in the flow and in none of its blocks.
_OF_FLOW = {"PARAM", "SECRET", "SCHEDULE", "DEFAULTS", "FINALLY"}


@dataclass(slots=True)
class Parsed:
    tree: Tree[Token] | None
    diagnostics: list[Diagnostic]
    damaged: bool


def parse_tokens(parser: Lark, source: Source) -> Parsed:
    """The quick way where there is nothing to recover from."""
    tree, tokens = quick.parse(parser, source)
    return recover(parser, source, tokens) if tree is None else Parsed(tree, [], False)


def recover(parser: Lark, source: Source, tokens: Iterator[Token]) -> Parsed:
    """`tokens` are those of the source, from its start."""
    run = _Run(parser, source)
    tree = run.parse(tokens)
    assert tree is not None or run.diagnostics
    return Parsed(tree, run.diagnostics, run.damaged)


@dataclass(slots=True)
class _Run(Feed):
    # Closing brackets to be passed over, each with the kind that is meant by it, if any.
    _owed: dict[str, str] = field(default_factory=dict)
    # Words of the language that were given as names: said once, not at every use.
    _misnamed: set[str] = field(default_factory=set)

    def parse(self, tokens: Iterator[Token]) -> Tree[Token] | None:
        self._state = self.parser.parse_interactive(self.source.text).parser_state
        self._look = Lookahead(self._state.parse_conf)
        self._tokens = tokens
        try:
            while True:
                token = self._next()
                if token.type == END:
                    return self._end(token)
                self._take(token)
        except Stop:
            self.damaged = True
            return None

    # --- reading ------------------------------------------------------------------------------------------------------

    def _take(self, token: Token) -> None:
        stack = self._state.state_stack
        if token.type == "NAME" and token in tables.RESERVED:
            self._reserved(token)
            return
        if token.type == "BAD_CHAR":
            self._bad_character(token)
            return
        if token.type in _BAD_TEXTS:
            self._bad_text(token)
        if token in self._misnamed and self._following(1) == ["DOT"] and self._look.welcome(stack, "NAME", "DOT"):
            # `run.x`, where a step is called `run`
            self._feed(made("NAME", token, str(token)))
            return
        if token.type in AMBIGUOUS and self._premature(token):
            return
        if token.type == "NAME" and token in EARLY and self._habit(token):
            return
        try:
            self._state.feed_token(token)
        except UnexpectedToken:
            self._repair(token)
            return
        self._shifted(token)

    def _premature(self, token: Token) -> bool:
        """Answer what could begin a value to the grammar, and begins something else to the reader."""
        last = self._last
        if last is None:
            return False
        if token.type != "LBRACE":
            # `in x =` and on the next line `run [ … ]`
            in_value = self._look.welcome(self._state.state_stack, token.type, "DOT")
            if not in_value or not is_first(self.source, token) or self._following(1) == ["DOT"]:
                return False
            self._repair(token)
            return True
        following = self._following()
        begins_block = bool(following) and following[0] in _NODES
        if last.type in _BEFORE_BLOCK:
            begins_block = following[:1] != ["RBRACE"] and following[1:] != ["EQUAL"]
        in_braces = last.type == "UNTIL" and following[:1] in (["NAME"], ["NOT"], ["LPAR"]) and begins_block
        is_head = self._look.welcome(self._state.state_stack, "BAD_CHAR", "LBRACE")
        if not begins_block or not (is_head or in_braces):
            return False
        what = "a whole number" if last.type == "MAX" else "a condition"
        help_ = ("conditions stand without braces",) if in_braces else ()
        self._report(faults.unexpected(what, "`{`", span(token), help_), token)
        if in_braces:
            self._owed["RBRACE"] = "RPAR"
            self._feed(made("LPAR", token, "("))
            return True
        self._feed(made("BAD_CHAR", token))
        return False

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

    # --- repairing ----------------------------------------------------------------------------------------------------

    def _repair(self, token: Token) -> None:
        if self._finished():
            self._after_flow(token)
        if self._close_owed(token) or self._habit(token) or self._respell(token) or self._as_name(token):
            return
        missing_value = self._missing_value(token)
        report = missing_value or self._unexpected(token)
        if missing_value is None and (self._insert(token, 2, report) or self._drop(token, report)):
            return
        if missing_value is None and self._insert(token, 1, report):
            return
        self._report(report, token)
        self._skip(token)

    def _close_owed(self, token: Token) -> bool:
        """Pass over the closing bracket of an opening one that was passed over."""
        meant = self._owed.pop(token.type, None)
        if meant and self._look.welcome(self._state.state_stack, meant):
            self._feed(made(meant, token))
        return meant is not None

    def _habit(self, token: Token) -> bool:
        """Take what was written for what was meant by it elsewhere."""
        if self._last is None:
            return False
        self._following(_AHEAD)
        states = self._state.state_stack
        for habit in habits.readings(self._before_last, self._last, token, tuple(self._ahead)):
            rest = [token, *self._ahead][habit.taken : habit.taken + 1]
            kinds = [word.type if isinstance(word, Token) else word[0] for word in habit.meant]
            kept = states[: len(states) - habit.back]
            if not self._look.welcome(kept, *kinds, *(item.type for item in rest)):
                continue
            if habit.diagnostic and habit.diagnostic.code == "F0124" and not self._in_condition():
                continue
            if not habit.silent:
                self._report(habit.diagnostic or self._unexpected(token), token)
            self.damaged = self.damaged or habit.lost
            if habit.back:
                self._cut(len(kept))
            for _ in range(habit.taken - 1):
                self._next()
            for word in habit.meant:
                self._feed(word if isinstance(word, Token) else made(word[0], token, word[1]))
            if habit.owed:
                self._owed[habit.owed] = ""
            if not habit.taken:
                self._take(token)
            return True
        return False

    def _as_name(self, token: Token) -> bool:
        """Take a keyword or a number for the name that stands here; the builder complains about `1a`."""
        stack = self._state.state_stack
        if token.type == "NUMBER":
            is_name = self._look.accepts(stack) <= {"NAME", "EACH"}
        else:
            is_name = token in tables.KEYWORDS and not line_ends_before(self.source, self._last, token)
            if token.type in AMBIGUOUS or self._following(1) == ["LBRACE"]:
                is_name = is_name and not is_first(self.source, token)
        if not is_name or not self._look.welcome(stack, "NAME", *self._following(1)):
            return False
        if token.type != "NUMBER" and token not in self._misnamed:
            self._misnamed.add(str(token))
            self._report(faults.keyword_as_name(token, span(token)), token)
        self._feed(made("NAME", token, str(token)))
        return True

    def _respell(self, token: Token) -> bool:
        """Take a misspelt keyword, this token or the name just read, for the keyword."""
        stack, last = self._state.state_stack, self._last
        if token.type == "NAME" and (found := self._look.keyword_like(token, stack, self._following())):
            self._misspelt(token, found)
            self._feed(made(found.upper(), token, found))
            return True
        if last is None or last.type != "NAME" or not self._is_item():
            return False
        if token.type in ("RAW", "BAD_RAW") and self._look.welcome(stack[:-1], "RUN", "NAME", token.type):
            language = closest(last.removeprefix("run"), tables.SCRIPT_LANGUAGES) or tables.SCRIPT_LANGUAGES[0]
            help_ = f"write `run {language} '''…'''`"
            self._report(faults.unexpected("`run`", f"{described(last)} and a script", span(last), (help_,)), last)
            meant = [made("RUN", last, "run"), made("NAME", last, language)]
        else:
            found = self._look.keyword_like(last, stack[:-1], [token.type, *self._following(1)])
            if found is None and token.type == "LSQB" and self._look.welcome(stack[:-1], "RUN", token.type):
                found = "run"  # no setting is a list
            if found is None:
                return False
            self._misspelt(last, found)
            meant = [made(found.upper(), last, found)]
        del stack[-1], self._state.value_stack[-1]
        for word in meant:
            self._state.feed_token(word)
        self._feed(token)
        return True

    def _misspelt(self, word: Token, found: str) -> None:
        self._report(faults.keyword_misspelt(word, span(word), found), word)

    def _insert(self, token: Token, ahead: int, report: Diagnostic) -> bool:
        following = self._following(ahead)
        for kind in _INSERTED:
            if kind in ("EQUAL", "LBRACE") and self._begins_nothing(kind, token):
                continue
            if self._look.welcome(self._state.state_stack, kind, token.type, *following):
                if kind == "RBRACE" and self._open:
                    opened = self._open[-1]
                    if self._is_inside(token, opened):
                        self._misplaced(token, opened)
                        return True
                    if token.type == "IF" and not is_first(self.source, token):
                        continue
                    found = described(token)
                    report = faults.not_closed(span(opened.token), opened.opens, found, span(token), None)
                self._report(report, token)
                self.damaged = self.damaged or kind == "NAME"
                if kind == "LBRACE" and not head(self.source, self._last or token).startswith(("`step", "`flow")):
                    # Where the first brace is missing the second may be.
                    self._swallowed = self.damaged = True
                self._feed(made(kind, token))
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
        """Whether a line that begins with this stands in a block by its place, though it does not belong there."""
        of_flow = token.type in _OF_FLOW or (token.type == "NAME" and self._following(1) == ["EQUAL"])
        is_line = of_flow or token.type in _LINES | _OF_STEP | {"IF", "UNTIL"}
        if not opened.is_block or not is_line:
            return False
        if (of_flow or token.type == "UNTIL") and token.line == opened.token.line:
            return True
        return is_first(self.source, token) and len(indent(self.source, token)) > len(opened.indent)

    def _misplaced(self, token: Token, opened: Open) -> None:
        """`param` or `step` among the lines of a step, by its place: pass over it."""
        accepts = self._look.accepts(self._state.state_stack)
        whole = "step" if token.type in _OF_STEP else "flow"
        help_ = f"`{token}` stands in the {whole}, not in {opened.opens}"
        if token.type == "NAME":
            help_ = f"settings stand in a step, in `defaults` or in the flow, not in {opened.opens}"
        report = faults.unexpected(expected(accepts), described(token), span(token), (help_,))
        if token.type == "UNTIL":
            report = faults.bound_misplaced("until", span(token))
        self._report(report, token)
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
                keep = self._around(token)
                following = self._following(1)
                if self._unwind(token.type, *following, keep=keep) or (is_sure and self._unwind(token.type, keep=keep)):
                    self._take(token)
                    return
            if token.type == "LBRACE":
                depth += 1
            elif token.type == "RBRACE" and depth:
                depth -= 1
            token = self._next()
        # An end of the file within what was skipped is a consequence.
        raise Stop

    def _around(self, token: Token) -> int:
        """How many blocks a line stands in by its indentation."""
        if token.type == "RBRACE" or not is_first(self.source, token):
            return 0
        deep = len(indent(self.source, token))
        return next((number for number, item in enumerate(self._open) if len(item.indent) >= deep), len(self._open))

    def _opens_line(self, token: Token) -> bool:
        following = "".join(self._following(1))
        if token.type in ("IN", "ON", "MAIN"):
            return is_first(self.source, token) or following in ("LBRACE", "NAME")
        if token.type == "IF":
            return is_first(self.source, token)
        if token.type in ("RUN", "OUT", "SECRET"):
            return following != "DOT"
        if token.type == "NAME":
            return following in ("EQUAL", "LBRACE") and is_first(self.source, token)
        return token.type in _LINES or token.type == "RBRACE"

    # --- reporting ----------------------------------------------------------------------------------------------------

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
                return faults.unexpected(what, described(token), span(last), hints.syntax(before, last, token, accepts))
            if is_item and (last.line != token.line or token.type not in {"LPAR", "LBRACE", "STAR", *_VALUES}):
                accepts = self._look.accepts(stack[:-1])
                return faults.unexpected(
                    expected(accepts), described(last), span(last), hints.syntax(None, before, last, accepts)
                )
        return faults.unexpected(
            expected(accepts), described(token), span(token), hints.syntax(before, last, token, accepts)
        )

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
        raise Stop

    def _reserved(self, token: Token) -> None:
        # `repeat … { … } while condition`
        is_end = str(token) == "while" and self._last is not None and self._last.line == token.line
        is_end = is_end and self._look.welcome(self._state.state_stack, "UNTIL", *self._following(1))
        if token not in self._misnamed:
            self._misnamed.add(str(token))
            self._report(faults.reserved_word(token, span(token), hints.reserved(token, is_end=is_end)), token)
        if is_end:
            self._feed(made("UNTIL", token, "until"))
            return
        if self._look.welcome(self._state.state_stack, "NAME", *self._following()):
            self._feed(token)
            return
        # Not the word itself: a line that it begins would lead here again.
        self._skip(self._next())

    def _bad_text(self, token: Token) -> None:
        """Said at once, whatever becomes of it: it is read as the string or script that it was meant as."""
        place = span(token)
        if token.type == "BAD_QUOTE":
            self.diagnostics.append(faults.bad_quotes(str(token), place))
        elif token.type == "BAD_STRING":
            end = place.start + len(token.rstrip())
            self.diagnostics.append(faults.string_not_closed(Span(place.start, end)))
        else:
            # The opening quotes alone: what was meant to follow the script is inside it now.
            self.diagnostics.append(faults.script_not_closed(Span(place.start, place.start + 3)))
        if token.type != "BAD_QUOTE" and ("{" in token or "}" in token):
            self._swallowed = self.damaged = True

    def _is_signed(self, sign: Token, number: Token) -> bool:
        is_number = number.type == "NUMBER" and sign.end_pos == number.start_pos and not number.startswith("-")
        return is_number and self._look.welcome(self._state.state_stack, "NUMBER")

    def _bad_character(self, token: Token) -> None:
        operators = habits.operators(token)
        if operators and self._look.welcome(self._state.state_stack, *operators[0], *self._following(1)):
            self._report(operators[1], token)
            for kind in operators[0]:
                self._feed(made(kind, token, kind.lower()))
            return
        following = self._peek()
        if str(token) == "+" and following is not None and self._is_signed(token, following):
            text = str(following)
            hint = f"numbers have no plus sign: write `{text}`"
            self._report(faults.bad_number(f"+{text}", span(token).to(span(following)), text, hint), token)
            return
        if str(token) == "@" and following is not None and following.start_pos == token.end_pos:
            self._next()
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
