"""F01xx: what the parser has to say. One constructor per code; the wording is here, the decision elsewhere.

Codes are stable: a code that is no longer used is never given to something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from unicodedata import combining, normalize

from . import tables
from .diagnostics import Diagnostic, Fix, Label, replace
from .spans import Span
from .suggest import listed

# Of a text that a message repeats.
_LONGEST = 40
# Where the next word of `TrainModel` or `HTTPServer` begins.
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

IN_HEAD = "it stands in the step's head: step NAME parallel(2) { … }"


def unexpected(expected: str, found: str, span: Span, hints: Iterable[str] = (), fix: Fix | None = None) -> Diagnostic:
    return _error("F0101", f"expected {expected}, found {found}", span, "not expected here", help=tuple(hints), fix=fix)


def not_closed(span: Span, opens: str, found: str, at: Span | None, suspect: Span | None) -> Diagnostic:
    """`span` is the opening brace; `at` the place where it should have been closed by, None at the end of the file."""
    related = [Label(at, "expected `}` before this")] if at else []
    if suspect:
        related.append(Label(suspect, "this `}` stands as if it closed something else"))
    return _error("F0102", f"the `{{` of {opens} is never closed: found {found}", span, "opened here", tuple(related))


def text_after_flow(found: str, span: Span, end: Span, *, second: bool) -> Diagnostic:
    help_ = "put each flow into a file of its own" if second else "is there a `}` too many further up?"
    return _error(
        "F0103",
        f"nothing may follow the flow, found {found}",
        span,
        "after the end of the flow",
        (Label(end, "the flow ends here"),),
        (help_,),
    )


def no_flow(span: Span) -> Diagnostic:
    return _error(
        "F0104", "this file has no flow", span, "expected `flow`", help=("a file reads: flow NAME { step NAME { … } }",)
    )


def string_not_closed(span: Span) -> Diagnostic:
    return _error(
        "F0105",
        "this string is not closed",
        span,
        'expected `"` before the end of the line',
        help=("text of several lines stands between ''' and ''', after `run bash` or `run python`",),
    )


def script_not_closed(span: Span) -> Diagnostic:
    return _error(
        "F0106",
        "this script is not closed",
        span,
        "expected ''' before the end of the file",
        help=("write ''' after the last line of the script",),
    )


def bad_character(text: str, span: Span, hints: Iterable[str] = ()) -> Diagnostic:
    shown = f"`{text}`" if text.isprintable() else ", ".join(f"U+{ord(char):04X}" for char in text[:4])
    # Newlines carry no meaning either, so that lines stay apart without the sign.
    fix = replace(span, "", certain=True) if set(text) == {";"} else None
    return _error("F0107", f"{shown} means nothing here", span, "cannot be read", help=tuple(hints), fix=fix)


def bad_quotes(text: str, span: Span) -> Diagnostic:
    """Quotes other than the double ones, or a letter before them."""
    return string_prefix(text, span) if text[0].isalpha() else single_quotes(text, span)


def string_prefix(text: str, span: Span) -> Diagnostic:
    letter = text[: min(text.find(quote) for quote in "\"'" if quote in text)]
    inside = text[len(letter) + 1 : -1]
    meant, left = inside, inside
    if "f" in letter.lower():
        meant, left = re.sub(r"\{(\w+)\}", r"${\1}", inside), re.sub(r"\{\w+\}", "", inside)
    elif "r" in letter.lower():
        meant, left = inside.replace("\\", "\\\\"), inside.replace("\\", "")
    # What means something else here, or there.
    fix = None if set('"\\${}') & set(left) else replace(span, f'"{meant}"', certain=True)
    help_ = f'write `"{meant}"`' if fix and len(meant) <= _LONGEST else "leave it out; a value is written `${name}`"
    return _quotes(
        f"a string has no letter before it, as `{letter}` here", span, "a string of another language", help_, fix
    )


def single_quotes(text: str, span: Span) -> Diagnostic:
    inside = text[1:-1]
    fix = None
    help_ = 'write `"` before and after the text'
    if "\\" not in inside:
        quoted = '"' + inside.replace('"', '\\"') + '"'
        # Between other quotes `${` is text or not, and back quotes may have meant a command.
        fix = replace(span, quoted, certain=text[0] != "`" and "${" not in inside)
        # A long one need not be read twice.
        help_ = f"write `{quoted}`" if len(inside) <= _LONGEST else help_
    return _quotes("strings stand in double quotes", span, "other quotes", help_, fix)


def _quotes(message: str, span: Span, label: str, hint: str, fix: Fix | None) -> Diagnostic:
    return _error("F0108", message, span, label, help=(hint,), fix=fix)


def bad_escape(escape: str, span: Span) -> Diagnostic:
    known = 'the escapes are \\n, \\t, \\", \\\\ and \\$'
    if len(escape) > 1 and escape[1] in "xuU":
        known = "for a character write the character itself: the file is UTF-8"
    return _error(
        "F0109",
        f"`{escape}` is no escape",
        span,
        "unknown escape",
        help=(f"a backslash is written twice: `\\{escape}`", known),
        fix=replace(span, f"\\{escape}"),
    )


def bad_number(text: str, span: Span, fixed: str | None = None, hint: str | None = None) -> Diagnostic:
    # A leading zero means octal to some.
    certain = not re.match(r"-?0[0-9_]", text)
    return _error(
        "F0110",
        f"`{text}` is no number",
        span,
        "cannot be read as a number",
        help=(hint,) if hint else (),
        fix=replace(span, fixed, certain=certain) if fixed else None,
    )


def bad_unit(unit: str, span: Span, fixed: str | None) -> Diagnostic:
    units = f"sizes are in {listed(tables.SIZE_UNITS)}, durations in {listed(tables.DURATION_UNITS)}"
    # To some a GB has ten to the ninth bytes, and `M` is a minute or a mebibyte.
    certain = fixed is not None and (not fixed.endswith("B") or unit.lower().rstrip("b").endswith("i"))
    return _error(
        "F0111",
        f"`{unit}` is no unit",
        span,
        "unknown unit",
        help=(units,) if fixed is None else (f"write `{fixed}`", units),
        fix=replace(span, fixed, certain=certain) if fixed else None,
    )


def number_too_large(text: str, span: Span) -> Diagnostic:
    if text.rstrip(".").lstrip("-").isdecimal():
        most = f"an int goes up to {2**63 - 1}; a number that only names something is text, in double quotes"
    elif "e" in text.lower():
        most = "a float goes up to about 1.8e308"
    else:
        most = "sizes go up to 8388607TiB, durations up to 106751991167300d"
    return _error(
        "F0112",
        f"`{text}` is too large",
        span,
        "does not fit into 64 bits",
        help=(most,),
    )


def keyword_as_name(word: str, span: Span) -> Diagnostic:
    return _error(
        "F0113",
        f"`{word}` is a word of the language and cannot be a name",
        span,
        "choose another name",
        help=(IN_HEAD if word == "parallel" else f"for instance `{word}_`",),
    )


def reserved_word(word: str, span: Span, hints: Iterable[str] = ()) -> Diagnostic:
    message = f"`{word}` is reserved for a later edition of the language"
    return _error("F0114", message, span, "not yet in the language", help=tuple(hints))


# F0115 said that a part of the language was not built yet; now all of it is.


def unknown_edition(text: str, span: Span) -> Diagnostic:
    return _error(
        "F0116",
        f"this version of flowc does not know edition {text} of the language",
        span,
        "unknown edition",
        help=(f"it knows edition {tables.EDITION}, which is also what a file without this line is written in",),
    )


def bad_name(text: str, span: Span) -> Diagnostic:
    # Without humps and accents.
    better = normalize("NFKD", _HUMPS.sub("_", text)).casefold()
    better = "".join(char if char.isascii() and char.isalnum() else "_" for char in better if not combining(char))
    better = re.sub("__+", "_", better).strip("_")
    usable = better[:1].isalpha() and better not in tables.KEYWORDS
    return _error(
        "F0117",
        f"`{text}` is no name",
        span,
        "not allowed as a name",
        help=(
            "names are lower-case letters, digits and underscores, and begin with a letter",
            *((f"for instance `{better}`",) if usable else ()),
        ),
    )


def too_deep(span: Span) -> Diagnostic:
    return _error("F0118", "this is nested too deeply", span, "nobody could read this")


def too_many_errors(span: Span) -> Diagnostic:
    return _error("F0119", "too many mistakes; the rest of the file was not read", span, "stopped here")


def value_missing(span: Span) -> Diagnostic:
    return _error("F0120", "a value is missing", span, "nothing follows on this line")


def keyword_misspelt(word: str, span: Span, found: str) -> Diagnostic:
    return _error(
        "F0121",
        f"`{word}` is no word of the language",
        span,
        "not expected here",
        help=(f"did you mean `{found}`?",),
        fix=replace(span, found, certain=tables.KEYWORD_ALIASES.get(word.lower()) == found or found == "else if"),
    )


# --- expressions ------------------------------------------------------------------------------------------------------


def comparison_chain(signs: tuple[Span, Span], meant: str) -> Diagnostic:
    """`meant`: the same comparisons, one after the other."""
    return _error(
        "F0122",
        "comparisons do not chain",
        signs[1],
        "a second comparison",
        (Label(signs[0], "the first one"),),
        (f"write `{meant}`" if len(meant) <= 2 * _LONGEST else "compare twice, with `and` between",),
    )


def operator_spelt(sign: str, span: Span, word: str, fixed: str | None = None) -> Diagnostic:
    return _error(
        "F0123",
        f"`{sign}` is written `{word}`",
        span,
        "not an operator of the language",
        help=(f"write `{word}`",),
        fix=replace(span, fixed or word, certain=True),
    )


def assignment_in_condition(span: Span) -> Diagnostic:
    return _error(
        "F0124",
        "`=` does not compare",
        span,
        "gives a value; it does not ask",
        help=("write `==`",),
        fix=replace(span, "==", certain=True),
    )


def no_index(span: Span) -> Diagnostic:
    return _error(
        "F0125",
        "the elements of a list cannot be picked one by one",
        span,
        "no index here",
        help=("pass the whole list and pick in the step, or run a step for each element with `foreach`",),
    )


def star_misplaced(span: Span, meant: str, whole: Span) -> Diagnostic:
    return _error(
        "F0126",
        "the star stands in brackets, directly after the name of the step",
        span,
        "not here",
        help=(f"write `{meant}`",),
        fix=replace(whole, meant, certain=True),
    )


def no_access(written: str, span: Span, hints: Iterable[str]) -> Diagnostic:
    return _no_access(written, span, "values have no parts", tuple(hints))


def output_in_output(written: str, meant: str, span: Span) -> Diagnostic:
    """`a.outputs.x`: it could also be an output called `outputs`, which nobody can look into."""
    hint = f"write `{meant}`: an output follows its step"
    return _no_access(written, span, "a reference has two parts at most", (hint,), replace(span, meant))


def _no_access(written: str, span: Span, label: str, hints: tuple[str, ...], fix: Fix | None = None) -> Diagnostic:
    return _error("F0127", f"`{written}` reads into a value", span, label, help=hints, fix=fix)


def previous_arguments(count: int, span: Span) -> Diagnostic:
    return _error(
        "F0128",
        f"`previous` takes two values, not {count}",
        span,
        "the value of the last turn, and one for the first turn",
        help=("write `previous(step.output, value_for_the_first_turn)`",),
    )


def member_twice(name: str, span: Span, first: Span) -> Diagnostic:
    return _error("F0129", f"`{name}` stands twice in this object", span, "again", (Label(first, "first here"),))


def name_in_braces(span: Span, name: str) -> Diagnostic:
    return _error(
        "F0142",
        "a value stands without braces",
        span,
        "in braces stand the members of an object, { name = value }",
        help=(f"write `{name}`",),
        fix=replace(span, name),
    )


def equal_sign(found: str, span: Span, *, glued: bool) -> Diagnostic:
    return _error(
        "F0141",
        f"a value is given with `=`, not with `{found}`",
        span,
        "expected `=`",
        help=("write `name = value`",),
        fix=replace(span, " =" if glued else "=", certain=True),
    )


def type_argument(span: Span, item: str, meant: str) -> Diagnostic:
    return _error(
        "F0143",
        "the type of a list's elements stands in square brackets",
        span,
        "expected `[`",
        help=(f"write `list[{item}]`",),
        fix=replace(span, meant, certain=True),
    )


# --- references in strings --------------------------------------------------------------------------------------------


def interpolation_not_closed(span: Span) -> Diagnostic:
    return _error(
        "F0130",
        "this `${` is not closed",
        span,
        "expected `}` before the end of the string",
        help=("for the two characters themselves write `\\${`",),
    )


def bad_interpolation(text: str, span: Span, hint: str, fixed: str | None = None) -> Diagnostic:
    message = f"`{text}` cannot stand in a string" if text else "there is nothing between `${` and `}`"
    fix = replace(span, fixed, certain=True) if fixed else None
    return _error("F0131", message, span, "only the name of a value", help=(hint,), fix=fix)


def secret_in_string(name: str, span: Span) -> Diagnostic:
    return _error(
        "F0132",
        "a secret cannot stand in a string",
        span,
        "it would be readable in the command or the log",
        help=(f"pass it whole, by the environment: env {name.upper()} = secret.{name}",),
    )


def not_plain(what: str, span: Span) -> Diagnostic:
    return _error("F0133", f"{what} is fixed text", span, "nothing can be filled in here", help=("write it out",))


# --- loops and blocks -------------------------------------------------------------------------------------------------


def limit_missing(span: Span) -> Diagnostic:
    return _error(
        "F0134",
        "this `repeat` has no `max`",
        span,
        "could run for ever",
        help=("write `repeat max 10 { … } until condition`",),
    )


def limit_not_a_number(found: str, span: Span) -> Diagnostic:
    return _error(
        "F0135", f"`max` takes a whole number, not {found}", span, "not a number", help=("for instance `max 8`",)
    )


def until_missing(span: Span, end: Span) -> Diagnostic:
    return _error(
        "F0136",
        "this `repeat` has no `until`",
        span,
        "does not say when it ends",
        (Label(end, "expected `until` after this"),),
        ("write `repeat max 10 { … } until condition`",),
    )


def bound_misplaced(word: str, span: Span) -> Diagnostic:
    place = "before" if word == "max" else "after"
    return _error(
        "F0137",
        f"`{word}` stands {place} the block of `repeat`, and once",
        span,
        "not here",
        help=("write `repeat max 10 { … } until condition`",),
    )


def only_steps_in_finally(word: str, span: Span) -> Diagnostic:
    return _error(
        "F0138",
        f"`finally` holds steps only, not `{word}`",
        span,
        "not in `finally`",
        help=("write the step itself; what it has to decide it can decide in its script",),
    )


def target_missing(span: Span) -> Diagnostic:
    return _error(
        "F0139",
        "`on` names a target",
        span,
        "on which target?",
        help=(f"one of {listed(tables.TARGETS)}: on {next(iter(tables.TARGETS))} {{ … }}",),
    )


def parallel_form(span: Span, count: str, fix: Span | None) -> Diagnostic:
    meant = f"parallel({count})"
    return _error(
        "F0140",
        "the number of nodes stands in parentheses",
        span,
        "expected `(`",
        help=(f"write `{meant}`",),
        fix=replace(fix, meant, certain=True) if fix else None,
    )


def _error(
    code: str,
    message: str,
    span: Span,
    label: str,
    related: tuple[Label, ...] = (),
    help: tuple[str, ...] = (),  # noqa: A002 - the word of the renderer
    fix: Fix | None = None,
) -> Diagnostic:
    return Diagnostic(code, "error", message, span, label, related, help, fix)
