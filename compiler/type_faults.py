"""F0312 to F0339: joins, conditions and expressions, and what fits where. See `faults`."""

from __future__ import annotations

from collections.abc import Sequence

from flowc.dsl.diagnostics import Diagnostic, Label, replace
from flowc.dsl.spans import Span
from flowc.dsl.suggest import listed

from .values import FLOAT, INT, JSON, PICKLE, STRING, UNKNOWN, Artifact, ListOf, Type

# --- joins ------------------------------------------------------------------------------------------------------------


def star_missing(
    step: str,
    written: str,
    fixed: str,
    loops: Sequence[tuple[str, Span]],
    one: Type,
    joined: Type,
    span: Span,
    note: str | None = None,
    place: Span | None = None,
    collected: Sequence[str] = (),
) -> Diagnostic:
    """A bare reference into loops; `loops` are those without a star: their variables, and their heads.

    `collected`: the variables of loops that have their star. `place` is that of what gets the stars, where it is more
    than the reference. With a `note` they are not all.
    """
    variables = listed(name for name, _ in loops)
    collect = f"collect the values: `{fixed}`" + ("" if joined == UNKNOWN else f" is {joined}")
    message = f"`{step}` runs once per {variables}, so `{written}` is not {_one(one)} here"
    if collected:
        more = "another star" if len(loops) == 1 else f"{len(loops)} more stars"
        message = f"`{written}` collects over {listed(collected)} alone, and needs {more}, for {variables}"
    return Diagnostic(
        "F0312",
        "error",
        message,
        span,
        "used outside the loop",
        tuple(Label(head, f"`{step}` runs for each item of this list") for _, head in loops),
        (collect, *((note,) if note else ())),
        None if note else replace(place or span, fixed),
    )


def star_for_nodes(
    step: str, written: str, fixed: str, output: Span, one: Type, joined: Type, span: Span
) -> Diagnostic:
    collect = f"collect the values: `{fixed}`" + ("" if joined == UNKNOWN else f" is {joined}")
    return _error(
        "F0313",
        f"every node of `{step}` has its own value, so `{written}` is not {_one(one)}",
        span,
        "of which node?",
        (Label(output, "one value per node"),),
        (f"{collect}, in the order of the nodes",),
        fixed,
    )


def star_too_many(written: str, due: int, why: str, fixed: str, span: Span, place: Span) -> Diagnostic:
    """`due` stars would be right because of `why`; `span` is that of the others, `place` of what is written."""
    extra = written.count("[*]") - due
    return Diagnostic(
        "F0314",
        "error",
        f"`{written}` has {'a star' if extra == 1 else f'{extra} stars'} too many",
        span,
        "nothing to collect",
        (),
        (f"{why}: write `{fixed}`",),
        replace(place, fixed),
    )


def secret_outside_env(name: str, span: Span) -> Diagnostic:
    variable = name.upper()
    return _error(
        "F0315",
        f"the secret `{name}` can only be the value of an `env`",
        span,
        "would be seen by others here",
        help=(f"add the line `env {variable} = secret.{name}` to the step, and let the body read ${variable}",),
    )


# --- bodies -----------------------------------------------------------------------------------------------------------


def expression_in_body(what: str, name: str, where: str, span: Span) -> Diagnostic:
    """`what` is the construct, `name` that of an input it could be, `where` a command or a variable."""
    return _error(
        "F0316",
        f"{what} cannot stand in {where}",
        span,
        "a body takes values as they are",
        help=(f"make it an input: `in {name} = …`, and write `{name}` here",),
    )


def not_in_json(type_: Type, span: Span) -> Diagnostic:
    return _error(
        "F0317",
        f"{_a(type_)} cannot be a part of a json value",
        span,
        "not in an object",
        help=("make it an input of its own",),
    )


def pickle_needs_python(what: str, name: str, type_: Type, span: Span, body: Span) -> Diagnostic:
    """`what` is "input" or "output"."""
    verb = "read" if what == "input" else "write"
    return _error(
        "F0318",
        f"only Python can {verb} the {what} `{name}`, which is {_a(type_)}",
        span,
        "any Python value",
        (Label(body, "this body is not known to be Python"),),
        ('write `call "file.py:function"` or `run python`, or choose another type',),
    )


def not_a_text(text: str, type_: Type, span: Span) -> Diagnostic:
    if isinstance(type_, Artifact):
        help_ = "as an argument of its own, or in `env`, the path of an input is known"
    else:
        help_ = "a string takes in string, int, float and bool"
    return _error("F0319", f"{text} is {_a(type_)}; a string holds one value", span, "has no text", help=(help_,))


# --- conditions and expressions ---------------------------------------------------------------------------------------


def not_a_condition(text: str, type_: Type, span: Span) -> Diagnostic:
    return _error(
        "F0320",
        f"a condition is true or false, and {text} is {_a(type_)}",
        span,
        "not a bool",
        help=_as_bool(text, type_),
    )


def not_a_list(text: str, type_: Type, span: Span) -> Diagnostic:
    if type_ in (JSON, PICKLE):
        help_ = f"the language does not look into {type_}: declare it as a list, as in `list[{type_}]`"
    elif isinstance(type_, Artifact):
        help_ = "let a step make a list of what is in it, as an output of type `list[string]`"
    else:
        help_ = f"it needs a list[{type_}]"
    return _error("F0321", f"`foreach` goes over a list, and {text} is {_a(type_)}", span, "not a list", help=(help_,))


def not_a_count(text: str, type_: Type, span: Span) -> Diagnostic:
    return _error(
        "F0322",
        f"`parallel` takes the number of nodes, an int, and {text} is {_a(type_)}",
        span,
        "not an int",
        help=("write a number, or refer to a parameter or an output of type int",),
    )


def never_equal(one: Type, other: Type, span: Span, first: Span, sign: str, fix: tuple[Span, str] | None) -> Diagnostic:
    return Diagnostic(
        "F0323",
        "error",
        f"`{sign}` compares values of one type",
        span,
        f"this is {_a(other)}",
        (Label(first, f"this is {_a(one)}"),),
        (f"write `{fix[1]}`",) if fix else ("an int and a float can be compared, other types only with their own",),
        replace(*fix) if fix else None,
    )


def either_differs(one: Type, other: Type, span: Span, first: Span) -> Diagnostic:
    return _error(
        "F0324",
        "the arguments of `either` are of one type",
        span,
        f"this is {_a(other)}",
        (Label(first, f"this is {_a(one)}"),),
        ("whichever is there, the reader has to know what it gets",),
    )


def previous_differs(one: Type, other: Type, span: Span, first: Span) -> Diagnostic:
    return _error(
        "F0325",
        "both arguments of `previous` are of one type",
        span,
        f"this is {_a(other)}",
        (Label(first, f"this is {_a(one)}"),),
        (f"in the first turn it stands for the other one, so give {_a(one)}",),
    )


def limit_out_of_range(word: str, found: int, least: int, most: int, span: Span) -> Diagnostic:
    why = "items at a time" if word == "foreach" else "turns"
    return _error(
        "F0326",
        f"`{word} … max` takes from {least:,} to {most:,} {why}; found {found:,}",
        span,
        "too many" if found > most else "too few",
        help=(f"write `{most}` or less" if found > most else f"write `{least}` or more",),
    )


def not_ordered(text: str, type_: Type, span: Span, sign: str, fixed: str | None) -> Diagnostic:
    return _error(
        "F0327",
        f"`{sign}` compares numbers, and {text} is {_a(type_)}",
        span,
        "not a number",
        help=(f"write `{fixed}`",) if fixed else ("other values are only compared by `==` and `!=`",),
        fix=fixed,
    )


def not_compared(text: str, type_: Type, span: Span, sign: str) -> Diagnostic:
    return _error(
        "F0328",
        f"`{sign}` compares single values, and {text} is {_a(type_)}",
        span,
        "not one value",
        help=("let a step compare it, with an output of type bool",),
    )


# --- helpers ----------------------------------------------------------------------------------------------------------


def _as_bool(text: str, type_: Type) -> tuple[str, ...]:
    quoted = text.strip("`")
    examples: dict[Type, str] = {INT: "!= 0", FLOAT: "> 0.0", STRING: '!= ""'}
    example = examples.get(type_)
    if example is None or not text.startswith("`"):
        return ("let a step decide, with an output of type bool",)
    return (f"compare it, for instance `{quoted} {example}`",)


def _one(type_: Type) -> str:
    return "one value" if type_ == UNKNOWN else f"one {type_}"


def _a(type_: Type) -> str:
    text = str(type_)
    if isinstance(type_, ListOf) or type_ == JSON:
        return text if type_ == JSON else f"a {text}"
    return f"an {text}" if text[0] in "aeio" else f"a {text}"


def _error(
    code: str,
    message: str,
    span: Span,
    label: str,
    related: tuple[Label, ...] = (),
    help: tuple[str, ...] = (),  # noqa: A002 - the word of the renderer
    fix: str | None = None,
) -> Diagnostic:
    return Diagnostic(code, "error", message, span, label, related, help, replace(span, fix) if fix else None)
