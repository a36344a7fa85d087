"""Between lexer and parser: tokens with what surrounds a misspelt name put together again.

`words` passes Lark's tokens on and joins `my-step` or `début`, which the lexer cannot read as one, into one NAME token
with a bad text, so that the builder says one thing about it where the parser would stumble over its pieces.
`span`, `described` and `expected` put tokens into words for messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lark import Token

from . import tables
from .spans import Span

END = "$END"

ELSE_IF = {"elif", "elseif", "elsif"}
# Letters before a string, in Python.
PREFIXES = {"b", "f", "r", "u", "br", "fr", "rb", "rf"}
# Words that mean something to people: to be read before the parser takes what stands before them for complete.
EARLY = {*ELSE_IF, "is"}


def span(token: Token) -> Span:
    start = token.start_pos or 0
    return Span(start, token.end_pos or start)


def words(tokens: Iterable[Token]) -> Iterator[Token]:
    held: list[Token] = []
    for token in tokens:
        if held and token.start_pos == held[-1].end_pos and _continues(held, token):
            held.append(token)
            continue
        if held:
            yield _joined(held)
        held = [token]
    if held:
        yield _joined(held)


def _continues(held: list[Token], token: Token) -> bool:
    """Whether a token that begins where the last one ended was meant as a part of the same name."""
    last = held[-1]
    is_odd = len(held) > 1 or not last.isascii()
    if token.type in ("STRING", "BAD_QUOTE"):
        return len(held) == 1 and last.lower() in PREFIXES  # `f"…"`
    if last.type in ("STRING", "BAD_QUOTE"):
        return False
    if token.type == "BAD_CHAR":
        return (is_odd or _is_word(last)) and (token.startswith("-") or token.isalpha())
    if token.type == "NUMBER":
        # `step-2`; the digits of `step2` are in the name already.
        return is_odd or (_is_word(last) and token.startswith("-"))
    # What follows a name that is bad already, or begins with a letter that is not ASCII.
    return _is_word(token) and is_odd and (len(held) > 1 or last.isalpha())


def _is_word(token: Token) -> bool:
    return token.type == "NAME" or token.lower() in tables.KEYWORDS


def _joined(parts: list[Token]) -> Token:
    first, last = parts[0], parts[-1]
    if first is last and not (first.type == "BAD_CHAR" and first.isalpha()):
        return first
    kind = "BAD_QUOTE" if last.type in ("STRING", "BAD_QUOTE") else "NAME"
    joined = Token(kind, "".join(parts), first.start_pos, first.line, first.column)
    joined.end_line, joined.end_column, joined.end_pos = last.end_line, last.end_column, last.end_pos
    return joined


# --- in words ---------------------------------------------------------------------------------------------------------


def described(token: Token) -> str:
    """What was found."""
    if token.type == END:
        return "the end of the file"
    if token.type in ("RAW", "BAD_RAW"):
        return "a script in '''"
    if token.type in ("STRING", "BAD_STRING", "BAD_QUOTE"):
        return f"the string {_cut(token)}"
    if token.type == "NUMBER":
        return f"the number `{_cut(token)}`" if token.isdecimal() else f"`{_cut(token)}`"
    return f"`{_cut(token)}`"


def _cut(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


_VALUE = {"NUMBER", "TRUE", "STRING", "NAME"}
_IN_STEP = {"IN", "OUT", "AFTER", "CALL"}
_IN_FLOW = {"STEP", "PARAM", "DEFAULTS"}
_NODES = {"STEP", "FOREACH", "IF", "REPEAT"}
_OPERATORS = {"EQ", "NE", "LE", "GE", "LANGLE", "RANGLE", "AND", "OR", "LSQB", "DOT", "STAR"}
_SIGNS = {"LBRACE": "{", "RBRACE": "}", "LSQB": "[", "RSQB": "]", "LPAR": "(", "RPAR": ")", "STAR": "*"}
_SIGNS |= {"EQUAL": "=", "COLON": ":", "COMMA": ",", "DOT": "."}
_KINDS = {"NAME": "a name", "NUMBER": "a number", "STRING": "a string in double quotes", "RAW": "a script in '''"}
_KINDS |= {END: "the end of the file"}


def expected(accepts: set[str]) -> str:
    """What could have stood there, in words; shorter than the truth where the truth is long."""
    rest = {kind for kind in accepts if not kind.startswith("BAD_")}
    parts = []
    if rest >= _IN_STEP:
        parts.append("a line of the step (`in`, `out`, `run`, `call`, a setting, …)")
        rest = rest & {"RBRACE"}
    elif rest >= _IN_FLOW:
        parts.append("a line of the flow (`param`, `step`, `foreach`, `if`, a setting, …)")
        rest = rest & {"RBRACE"}
    elif rest >= _NODES:
        parts.append("`step`, `foreach`, `if`, `repeat`")
        rest = rest & {"RBRACE"}
    elif rest >= _VALUE:
        parts.append("a value")
        rest = rest & {"RSQB"}
    elif rest == {"NAME", "LSQB"}:
        return "a command in `[ … ]`, or `bash` or `python` and a script"
    elif rest - _OPERATORS:
        rest = rest - _OPERATORS
    order = ("NAME", "STRING", "RAW", "NUMBER")
    parts += [_kind(kind) for kind in sorted(rest, key=lambda kind: (kind not in order, kind))]
    if len(parts) < 2:
        return "".join(parts) or "nothing more"
    return f"{', '.join(parts[:-1])} or {parts[-1]}"


def _kind(kind: str) -> str:
    if kind in _KINDS:
        return _KINDS[kind]
    return f"`{_SIGNS.get(kind, kind.lower())}`"
