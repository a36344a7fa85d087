"""What people write who know other languages, and what they meant by it.

Takes the tokens around a syntax error; gives the readings to try, likeliest first. A reading is a diagnostic and the
tokens that were meant in the place of those that were written; the parser takes the first that fits what follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lark import Token

from . import faults, tables
from .diagnostics import Diagnostic, replace
from .places import is_adjacent
from .spans import Span
from .tokens import ELSE_IF, described, span

# A kind and a text; a token itself where it is kept.
Meant = tuple[str, str] | Token

_SIGNS = re.compile(r"&&?|\|\|?|!")
_WORDS = {"&": "and", "|": "or", "!": "not"}
_NAME = re.compile(r'"[A-Za-z_][A-Za-z0-9_]*"')
_LOOPS = {"for", "loop", "for_each"}
_OWNERS = {"IN": "an input", "PARAM": "a parameter", "STEP": "a step"}
_OPENERS = {"STEP", "FOREACH", "IF", "REPEAT", "IN", "OUT", "RUN", "CALL", "ENV", "AFTER"}
_VALUES = {"NUMBER", "STRING", "NAME"}
# A value that nobody wrote: the builder makes `Bad` of it.
_NOTHING = ("BAD_CHAR", "")


@dataclass(frozen=True, slots=True)
class Habit:
    """`meant` in the place of `back` tokens already read and of `taken` tokens from the unexpected one on.

    Without a diagnostic the parser says what it expected, or nothing where the builder will (`silent`). `owed` is the
    kind of a closing bracket that goes with what was passed over; `lost`: nobody knows what was meant.
    """

    meant: tuple[Meant, ...]
    taken: int = 1
    back: int = 0
    diagnostic: Diagnostic | None = None
    silent: bool = False
    lost: bool = False
    owed: str = ""


def operators(token: Token) -> tuple[list[str], Diagnostic] | None:
    """`&&`, `||` and `!` as the kinds of their words, also several glued together."""
    if not re.fullmatch(f"(?:{_SIGNS.pattern})+", token):
        return None
    words = [_WORDS[sign[0]] for sign in _SIGNS.findall(token)]
    # Blanks where the sign needed none.
    text = " ".join(words) + (" " if token.endswith("!") else "")
    return [word.upper() for word in words], faults.operator_spelt(str(token), span(token), " ".join(words), text)


def readings(before: Token | None, last: Token, token: Token, ahead: Sequence[Token]) -> Iterator[Habit]:
    """`ahead`: the tokens after the unexpected one."""
    yield from _signs(before, last, token, ahead)
    yield from _words(last, token, ahead)
    yield from _heads(before, last, token, ahead)
    yield from _lines(before, last, token, ahead)
    yield from _values(before, last, token, ahead)


def _signs(before: Token | None, last: Token, token: Token, ahead: Sequence[Token]) -> Iterator[Habit]:
    following = ahead[0] if ahead else None
    kind = token.type
    if kind == "EQUAL" and last.type == "EQ" and is_adjacent(last, token):
        yield Habit((), diagnostic=faults.operator_spelt("===", span(last).to(span(token)), "=="))
    if kind == "EQUAL" and following and following.type in ("LANGLE", "RANGLE") and is_adjacent(token, following):
        meant = ("LE", "<=") if following.type == "LANGLE" else ("GE", ">=")
        written = f"={following}"
        yield Habit((meant,), 2, diagnostic=faults.operator_spelt(written, span(token).to(span(following)), meant[1]))
    if kind == "EQUAL":
        yield Habit((("EQ", "=="),), diagnostic=faults.assignment_in_condition(span(token)))
    if kind == "RANGLE" and last.type == "LANGLE" and is_adjacent(last, token):
        whole = span(last).to(span(token))
        yield Habit((("NE", "!="),), back=1, diagnostic=faults.operator_spelt("<>", whole, "!="))
    if kind == "COLON" and following and following.type == "LBRACE" and last in tables.FRAMEWORKS:
        return
    if kind == "COLON" and following and following.type == "EQUAL" and is_adjacent(token, following):
        whole = span(token).to(span(following))
        yield Habit((("EQUAL", "="),), 2, diagnostic=faults.equal_sign(":=", whole, glued=is_adjacent(last, token)))
    if kind == "COLON" and following and (following.line != token.line or _opens_block(ahead)):
        return
    if kind in ("COLON", "EQ") and not (before is not None and before.type == "IN"):  # `in x: int`, see below
        yield Habit(
            (("EQUAL", "="),), diagnostic=faults.equal_sign(str(token), span(token), glued=is_adjacent(last, token))
        )


def _opens_block(ahead: Sequence[Token]) -> bool:
    """Whether lines follow, and no object: `jobs: { step a { … } }`."""
    return len(ahead) > 1 and ahead[0].type == "LBRACE" and ahead[1].type in _OPENERS


def _words(last: Token, token: Token, ahead: Sequence[Token]) -> Iterator[Habit]:
    # A word that begins a line is read as a setting before what follows shows that it is none.
    for word, back in ((token, 0), (last, 1)):
        if word.type != "NAME":
            continue
        taken = 1 - back
        if word in ELSE_IF:
            said = faults.keyword_misspelt(word, span(word), "else if")
            yield Habit((("ELSE", "else"), ("IF", "if")), taken, back, said)
        if word in _LOOPS:
            said = faults.keyword_misspelt(word, span(word), "foreach")
            yield Habit((("FOREACH", "foreach"),), taken, back, said)
            opening = token if back else (ahead[0] if ahead else None)
            if opening is not None and opening.type == "LPAR":
                yield Habit((("FOREACH", "foreach"),), taken + 1, back, said, owed="RPAR")
    if token.type == "NAME" and str(token) == "is":
        negated = bool(ahead) and ahead[0].type == "NOT"
        sign = ("NE", "!=") if negated else ("EQ", "==")
        whole = span(token).to(span(ahead[0])) if negated else span(token)
        said = faults.operator_spelt("is not" if negated else "is", whole, sign[1])
        yield Habit((sign,), 1 + negated, diagnostic=said)
    if token.type == "NAME" and str(token) == "of":
        yield Habit((("IN", "in"),), diagnostic=faults.keyword_misspelt(token, span(token), "in"))


def _heads(before: Token | None, last: Token, token: Token, ahead: Sequence[Token]) -> Iterator[Habit]:
    """Between the word that opens a line and its brace."""
    kind = token.type
    if last.type == "PARALLEL":
        yield from _parallel(last, token, ahead)
    if kind == "EQUAL" and last.type == "NAME" and before is not None and before.type == "LPAR" and ahead:
        help_ = (f"without a name: `({ahead[0]})`",)
        fix = replace(span(last).to(span(token)), "")
        said = faults.unexpected("`)`", "`=`", span(last).to(span(token)), help_, fix)
        yield Habit((), back=1, diagnostic=said)
    if kind == "LPAR" and before is not None and before.type == "STEP":
        help_ = (f"write `step {last} parallel(2)`",)
        said = faults.unexpected("`{` or `parallel`", "`(`", span(token), help_)
        yield Habit((("PARALLEL", "parallel"), token), diagnostic=said)
    if kind == "LPAR" and last.type == "FOREACH":
        help_ = ("without parentheses: foreach item in list { … }",)
        yield Habit((), diagnostic=faults.unexpected("a name", "`(`", span(token), help_), owed="RPAR")
    if kind in ("NUMBER", "LPAR") and last.type == "REPEAT":
        help_ = ("write `repeat max 3 { … } until condition`",)
        yield Habit(
            (("MAX", "max"), token), diagnostic=faults.unexpected("`max`", described(token), span(token), help_)
        )
    if kind == "AFTER" and before is not None and before.type == "STEP":
        length = next((number for number, other in enumerate(ahead) if other.type not in ("NAME", "COMMA")), 0)
        help_ = ("`after` stands on a line of its own within the step",)
        said = faults.unexpected("`{` or `parallel`", "`after`", span(token), help_)
        yield Habit((), length + 1, diagnostic=said)
    if kind in ("NAME", "COLON") and token.line == last.line and ahead and ahead[0].type == "LBRACE":
        help_ = ("the block follows at once: `… { … }`",)
        yield Habit((), diagnostic=faults.unexpected("`{`", described(token), span(token), help_))


def _parallel(last: Token, token: Token, ahead: Sequence[Token]) -> Iterator[Habit]:
    opening, closing = ("LPAR", "("), ("RPAR", ")")
    if token.type == "LBRACE":
        yield Habit((opening, _NOTHING, closing, token), diagnostic=faults.parallel_form(span(last), "2", None))
        return
    skipped = 0 if token.type in ("NUMBER", "NAME") else 1
    value = [token, *ahead][skipped : skipped + 3]
    if [item.type for item in value] != ["NAME", "DOT", "NAME"]:
        value = value[:1]
    count = "".join(value)
    end = skipped + len(value)
    if token.type == "LSQB":
        end += 1  # the closing one
    if value and value[0].type in ("NUMBER", "NAME") and end <= len(ahead) + 1:
        whole = Span(span(last).start, span([token, *ahead][end - 1]).end)
        said = faults.parallel_form(span(token), count, whole)
        yield Habit((opening, *value, closing), end, diagnostic=said)


def _lines(before: Token | None, last: Token, token: Token, ahead: Sequence[Token]) -> Iterator[Habit]:
    """In the lines of a step."""
    kind, opener = token.type, before.type if before is not None else ""
    following = [item.type for item in ahead[:2]]
    if kind == "OUT" and last.type == "DOT" and following == ["DOT", "NAME"]:
        yield Habit((("NAME", "out"),), silent=True)  # `a.out.x`, see the builder
    if kind in _OWNERS and following == ["DOT", "NAME"]:
        name = (
            f"{ahead[1]}.{ahead[3]}"
            if kind == "STEP" and [item.type for item in ahead[2:4]] == ["DOT", "NAME"]
            else ahead[1]
        )
        help_ = (f"the name of {_OWNERS[kind]} stands for itself: write `{name}`",)
        fix = replace(span(token).to(span(ahead[0])), "", certain=True)
        yield Habit((), 2, diagnostic=faults.unexpected("a value", described(token), span(token), help_, fix))
    if kind == "NAME" and opener in ("OUT", "PARAM") and last in tables.TYPES and last.line == token.line:
        yield Habit((token, ("COLON", ":"), last), back=1)
    if kind == "COLON" and opener == "IN":
        typed = [item.type in ("NAME", "LSQB", "RSQB") and item.line == token.line for item in ahead]
        length = typed.index(False) if False in typed else len(typed)
        # Without a value it is unknown what the input was to be.
        yield Habit((), 1 + length, lost=[item.type for item in ahead[length : length + 1]] != ["EQUAL"])
    if kind == "EACH" and following[:1] == ["OUT"]:
        said = faults.unexpected("`out each`", "`each`", span(token), ("write `out each name: type`",))
        yield Habit((("OUT", "out"), ("EACH", "each")), 2, diagnostic=said)
    if kind == "LSQB" and last.type == "AFTER":
        yield Habit((), owed="RSQB")
    if kind == "AND":
        yield Habit((("COMMA", ","),))
    if kind == "STRING" and opener == "SCHEDULE":
        help_ = (f"the time zone follows `in`: schedule {last} in {token}",)
        said = faults.unexpected("`in`", described(token), span(token), help_)
        yield Habit((("IN", "in"), token), diagnostic=said)


def _values(before: Token | None, last: Token, token: Token, ahead: Sequence[Token]) -> Iterator[Habit]:
    kind = token.type
    if kind == "STRING" and _NAME.fullmatch(token):
        name = token[1:-1]
        said = faults.unexpected(
            "a name",
            described(token),
            span(token),
            (f"names stand without quotes: `{name}`",),
            replace(span(token), name),
        )
        yield Habit((("NAME", name),), diagnostic=said)
    if before is not None and before.type == "LBRACE" and last.type in ("NAME", "STRING"):
        yield from _braced(span(before).start, last, [token, *ahead], back=2)
    if kind == "LBRACE" and last.type == "LBRACE" and ahead:
        yield from _braced(span(last).start, ahead[0], ahead[1:], back=1, braces=2)
    if last.type == "NAME" and (kind == "LANGLE" or (kind == "LPAR" and last in tables.TYPES)) and len(ahead) > 1:
        inner, closing = ahead[0], ahead[1]
        if inner.type == "NAME" and closing.type in ("RANGLE", "RPAR"):
            said = faults.type_argument(span(token).to(span(closing)), str(inner), f"[{inner}]")
            yield Habit((("LSQB", "["), inner, ("RSQB", "]")), 3, diagnostic=said)
    if kind == "RSQB" and last.type == "LSQB" and before is not None and before.type == "NAME":
        said = faults.type_argument(span(before).to(span(token)), str(before), f"list[{before}]")
        meant = (("NAME", "list"), last, before, token)
        yield Habit(meant, back=2, diagnostic=said)
    if kind == "COLON" and last.type == "LSQB" and ahead and ahead[0].type == "RSQB":
        yield Habit((), silent=True)
    if kind == "COLON" and len(ahead) > 1 and ahead[0].type in ("NUMBER", "NAME") and ahead[1].type == "RSQB":
        yield Habit((), 2, silent=True)


def _braced(start: int, inner: Token, rest: Sequence[Token], *, back: int, braces: int = 1) -> Iterator[Habit]:
    """`{name}`, `{name.field}` or `{{name}}` for the name alone."""
    value = [inner]
    if [item.type for item in rest[:2]] == ["DOT", "NAME"]:
        value += rest[:2]
    closing = list(rest[len(value) - 1 : len(value) - 1 + braces])
    if [item.type for item in closing] == ["RBRACE"] * braces and inner.type in _VALUES:
        text = "".join(value)
        said = faults.name_in_braces(Span(start, span(closing[-1]).end), text)
        # What was read already is not among the tokens that are taken from here on.
        taken = len(value) - 1 + braces + (2 if braces == 2 else 0)
        yield Habit(tuple(value), taken, back, said)
