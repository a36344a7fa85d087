"""What a token's text means: numbers with units, strings with escapes and references, scripts without their indent.

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
_OTHER_BASE = re.compile(r"-?0([xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)")
_UNIT = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)([A-Za-z]+)")
_ESCAPE = re.compile(r"\\(.)|\$\{")
_REFERENCE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\.([A-Za-z_][A-Za-z0-9_]*))?")
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
    if _OTHER_BASE.fullmatch(plain := text.replace("_", "")):
        fixed = str(int(plain, 0))
        return ast.Bad(span), faults.bad_number(text, span, fixed, f"numbers are decimal: write `{fixed}`")
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


def string(quoted: str, span: Span) -> tuple[ast.String | ast.Template | ast.Bad, list[Diagnostic]]:
    """A string token with its quotes."""
    text = quoted[1:-1]
    if "\\" not in text and "${" not in text:
        return ast.String(text, span), []
    diagnostics: list[Diagnostic] = []
    parts: list[str | ast.Ref | ast.OwnRef | ast.Bad] = []
    plain: list[str] = []
    begin = span.start + 1
    at = 0
    while found := _ESCAPE.search(text, at):
        plain.append(text[at : found.start()])
        at = found.end()
        place = Span(begin + found.start(), begin + at)
        if found[1]:
            if found[1] not in _ESCAPED:
                diagnostics.append(faults.bad_escape(found[0], place))
            plain.append(_ESCAPED.get(found[1], ""))
            continue
        if before := "".join(plain):
            parts.append(before)
        plain = []
        end = text.find("}", at)
        if text.startswith("{", at) and text.startswith("}}", end):
            end += 1  # `${{ name }}`
        if end < 0:
            diagnostics.append(faults.interpolation_not_closed(place))
            parts.append(ast.Bad(place))
            at = len(text)
            break
        part, diagnostic = _interpolated(text[at:end], Span(place.end, begin + end))
        parts.append(part)
        if diagnostic:
            diagnostics.append(diagnostic)
        at = end + 1
    if after := "".join([*plain, text[at:]]):
        parts.append(after)
    if any(not isinstance(part, str) for part in parts):
        return ast.Template(tuple(parts), span), diagnostics
    return (ast.Bad(span) if diagnostics else ast.String("".join(map(str, parts)), span)), diagnostics


def _interpolated(text: str, span: Span) -> tuple[ast.Ref | ast.OwnRef | ast.Bad, Diagnostic | None]:
    """What stands between `${` and `}`."""
    found = _REFERENCE.fullmatch(text)
    if found and not {found[1], found[2]} & tables.RESERVED and found[2] not in tables.KEYWORDS:
        root = ast.Name(found[1], Span(span.start, span.start + len(found[1])))
        field = ast.Name(found[2], Span(span.end - len(found[2]), span.end)) if found[2] else None
        if root.text not in tables.KEYWORDS:
            return ast.Ref(root, field, (), span), None
        if field and root.text == "secret":
            return ast.Bad(span), faults.secret_in_string(field.text, span)
        if field and root.text in ("out", "run"):
            return ast.OwnRef(root.text, field, span), None
    if not text.strip():
        whole = Span(span.start - 2, span.end + 1)
        return ast.Bad(span), faults.bad_interpolation("", whole, _NOTHING)
    return ast.Bad(span), faults.bad_interpolation(text, span, *_meant(text))


_NOTHING = "write the name of a value there; for the two characters themselves write `\\${`"


# What stands before the names of steps and outputs where a language has a place for each kind.
_HOLDERS = {"job", "jobs", "node", "nodes", "stages", "steps", "task", "tasks"}
_PARTS = {"artifacts", "out", "output", "outputs", "result", "results"}


def without_holders(path: list[str]) -> str | None:
    """`a.x` for `steps.a.outputs.x` and its like."""
    if len(path) > 2 and path[0] in _HOLDERS:
        path = path[1:]
    if len(path) == 3 and path[1] in _PARTS:
        path = [path[0], path[2]]
    return ".".join(path) if len(path) == 2 else None


def _meant(text: str) -> tuple[str, str | None]:
    """What to write in the place of something that is no reference, and the same as a correction."""
    plain = text.strip()
    if plain != text and _REFERENCE.fullmatch(plain):
        return f"without blanks: `${{{plain}}}`", plain
    what, _, own = plain.partition(".")
    if what in ("in", "param") and _REFERENCE.fullmatch(own):
        whose = "an input" if what == "in" else "a parameter"
        return f"the name of {whose} stands for itself: `${{{own}}}`", own
    if braced := re.fullmatch(r"\{\s*([A-Za-z_.0-9]+)\s*\}", plain):
        is_good = _REFERENCE.fullmatch(braced[1]) and braced[1].partition(".")[0] not in tables.KEYWORDS
        return (f"one pair of braces: `${{{braced[1]}}}`", braced[1]) if is_good else _meant(braced[1])
    if "[*]" in plain or ".*" in plain:
        return "it is a list, and a string takes single values; in `run [ … ]` it can be an argument of its own", None
    if "[" in plain:
        return "the elements of a list cannot be picked; pick in the step", None
    if re.match(r"(either|previous)\b", plain):
        return f"give the value a name, `in name = {plain}`, and write `${{name}}`", None
    if plain in tables.KEYWORDS:
        return f"`{plain}` is a word of the language; `\\${{` are the two characters themselves", None
    if re.fullmatch(r"\w+(\.\w+){2,}", plain):
        if own := without_holders(plain.split(".")) or "":
            return f"an output follows its step: write `${{{own}}}`", None
        return "values have no parts: write `${name}` or `${step.output}`", None
    if _FLOAT.fullmatch(plain) or plain.startswith('\\"'):
        return "a value that is known stands in the text as it is", None
    if re.match(r"\w+(:?[-+=?]|[#%/^,:@])\S", plain):
        return "what a shell can do with variables works in `run bash`, not here", None
    return "there is no computing in strings: compute in a step, and write the name of its output", None


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
