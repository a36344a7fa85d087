"""What a token's text means: numbers with units, strings with escapes, scripts without their indent.

Takes the text of one token and its place; gives a node of the syntax tree and diagnostics. Numbers are classified here
and not by the lexer, so that `16Gi` gets a message of its own.
"""

from __future__ import annotations

import math
import re
from os.path import commonprefix

from . import ast, faults, tables
from .diagnostics import Diagnostic
from .spans import Span

_INT = re.compile(r"-?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_UNIT = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)([A-Za-z]+)")
_ESCAPE = re.compile(r"\\(.)|\$\{")
_ESCAPED = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "$": "$"}

_LEAST_INT, _MOST_INT = -(2**63), 2**63 - 1
# No number that fits has more characters, and Python refuses to read integers of thousands of digits.
_LONGEST = 400


def number(text: str, span: Span) -> tuple[ast.Int | ast.Float | ast.Size | ast.Duration | ast.Bad, Diagnostic | None]:
    if len(text) > _LONGEST:
        return ast.Bad(span), faults.number_too_large(text[:20] + "...", span)
    if _INT.fullmatch(text):
        value = int(text)
        if not _LEAST_INT <= value <= _MOST_INT:
            return ast.Bad(span), faults.number_too_large(text, span)
        return ast.Int(value, span), None
    if _FLOAT.fullmatch(text):
        real = float(text)
        if math.isinf(real):
            return ast.Bad(span), faults.number_too_large(text, span)
        return ast.Float(real, span), None
    if (with_unit := _UNIT.fullmatch(text)) and with_unit[2] not in ("e", "E"):
        return _with_unit(text, with_unit[1], with_unit[2], span)
    return ast.Bad(span), _bad_number(text, span)


def _with_unit(
    text: str, digits: str, unit: str, span: Span
) -> tuple[ast.Size | ast.Duration | ast.Bad, Diagnostic | None]:
    factor = tables.SIZE_UNITS.get(unit) or tables.DURATION_UNITS.get(unit)
    if factor is None:
        meant = tables.UNIT_ALIASES.get(unit.lower())
        return ast.Bad(span), faults.bad_unit(unit, span, digits + meant if meant else None)
    if not _INT.fullmatch(digits):
        return ast.Bad(span), faults.bad_number(text, span, *_whole(digits, unit, factor))
    value = int(digits) * factor
    if value > _MOST_INT:
        return ast.Bad(span), faults.number_too_large(text, span)
    if value < 0:
        return ast.Bad(span), faults.bad_number(text, span, hint="sizes and durations are not negative")
    return (ast.Size if unit in tables.SIZE_UNITS else ast.Duration)(value, span), None


def _whole(digits: str, unit: str, factor: int) -> tuple[str | None, str]:
    """`1.5h` as `90m`: the same in the largest unit in which it is whole."""
    hint = "sizes and durations are whole numbers of their unit"
    amount = float(digits) * factor
    units = tables.SIZE_UNITS if unit in tables.SIZE_UNITS else tables.DURATION_UNITS
    for name, other in sorted(units.items(), key=lambda item: -item[1]):
        if amount >= other and amount % other == 0:
            fixed = f"{int(amount // other)}{name}"
            return fixed, f"{hint}: write `{fixed}`"
    return None, hint


def _bad_number(text: str, span: Span) -> Diagnostic:
    plain = text.replace("_", "")
    if parts := re.fullmatch(r"(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?", text):
        amounts = [int(part or 0) for part in parts.groups()]
        seconds = sum(amount * factor for amount, factor in zip(amounts, (86400, 3600, 60, 1), strict=True))
        unit, factor = next((u, f) for u, f in (("h", 3600), ("m", 60), ("s", 1)) if seconds % f == 0)
        fixed = f"{seconds // factor}{unit}"
        return faults.bad_number(text, span, fixed, f"a duration has one unit: write `{fixed}`")
    sign, digits = ("-", plain[1:]) if plain.startswith("-") else ("", plain)
    fixed = sign + (digits.lstrip("0") or "0") if digits.isdecimal() else plain
    if fixed != text and _FLOAT.fullmatch(fixed):
        return faults.bad_number(text, span, fixed, f"write `{fixed}`")
    if plain.endswith(".") and _INT.fullmatch(plain[:-1]):
        return faults.bad_number(text, span, plain + "0", f"write `{plain}0`")
    if re.match(r"-?[0-9]+[A-Za-z_]", text):
        return faults.bad_number(text, span, hint="a name begins with a letter; any other text stands in double quotes")
    return faults.bad_number(text, span)


def string(quoted: str, span: Span) -> tuple[ast.String | ast.Bad, list[Diagnostic]]:
    """A string token with its quotes."""
    text = quoted[1:-1]
    if "\\" not in text and "${" not in text:
        return ast.String(text, span), []
    diagnostics = []
    for found in _ESCAPE.finditer(text):
        at = Span(span.start + 1 + found.start(), span.start + 1 + found.end())
        if found[0] == "${":
            end = text.find("}", found.start())
            if end >= 0:
                at = Span(at.start, span.start + 1 + end + 1)
            diagnostics.append(
                faults.not_built("`${…}` in a string", at, "for the two characters themselves write `\\${`")
            )
        elif found[1] not in _ESCAPED:
            diagnostics.append(faults.bad_escape(found[0], at))
    if diagnostics:
        return ast.Bad(span), diagnostics
    return ast.String(_ESCAPE.sub(lambda found: _ESCAPED[found[1]], text), span), []


def script(quoted: str) -> str:
    """The text of a raw block: verbatim, less the indent common to its lines and the blank edges beside the quotes."""
    text = quoted[3:-3].replace("\r\n", "\n")
    first, newline, rest = text.partition("\n")
    if not newline:
        return text.strip(" \t")
    lines = rest.split("\n")
    indents = [line[: len(line) - len(line.lstrip(" \t"))] for line in lines if line.strip(" \t")]
    indent = len(commonprefix(indents))  # noqa: RUF071 - blanks, not paths
    lines = [line[indent:] if line.strip(" \t") else line[indent:].rstrip(" \t") for line in lines]
    if first.strip(" \t"):
        lines.insert(0, first.lstrip(" \t"))
    return "\n".join(lines)
