"""F022x to F024x: what can be seen from where. See `faults`."""

from __future__ import annotations

from collections.abc import Sequence

from flowc.dsl.diagnostics import Diagnostic, Label, replace
from flowc.dsl.spans import Span
from flowc.dsl.suggest import closest, listed


def outside_its_loop(name: str, span: Span, loop: Span) -> Diagnostic:
    return _error(
        "F0220",
        f"`{name}` has a value only inside its loop",
        span,
        "used outside the loop",
        (Label(loop, f"`{name}` is the variable of this loop"),),
        ("move the reader into the loop; the results of all items are read with a star, as in `step[*].output`",),
    )


def previous_outside(keyword: Span) -> Diagnostic:
    return _error(
        "F0221",
        "`previous` looks at the turn before, and there is no `repeat` around it",
        keyword,
        "not inside a `repeat`",
        help=("outside the loop `step.output` is the value of the last turn",),
    )


def previous_of_nothing(text: str, span: Span, loop: Span) -> Diagnostic:
    return _error(
        "F0222",
        "the first argument of `previous` reads a step inside the loop",
        span,
        f"{text} does not change from turn to turn",
        (Label(loop, "the loop"),),
        ("write the value alone, without `previous`",),
    )


def first_inside(text: str, span: Span, loop: Span) -> Diagnostic:
    return _error(
        "F0223",
        "the second argument of `previous` stands for the turn before the first, so it comes from outside the loop",
        span,
        f"{text} is made inside the loop",
        (Label(loop, "the loop"),),
        ("write a literal, a parameter, or an output of a step outside the loop",),
    )


def runs_last(step: str, span: Span, declared: Span) -> Diagnostic:
    return _error(
        "F0224",
        f"`{step}` runs when all else is over, so nothing can wait for it",
        span,
        "a step of `finally`",
        (Label(declared, "stands in `finally`"),),
        (f"move `{step}` out of `finally`, or this step into it",),
    )


def only_in_finally(text: str, span: Span, *, body: str | None = None) -> Diagnostic:
    """`body`: the name it could have as an input, where it stands in the body of a step in `finally`."""
    if body is None:
        message, label = f"`{text}` is known only when all steps are over", "not yet known here"
        help_ = "read it with an `in` of a step in `finally`"
    else:
        message, label = f"`{text}` is read as an input", "a body sees only the step's inputs"
        help_ = f"add the line `in {body} = {text}` to the step and write `{body}` here"
    return _error("F0225", message, span, label, help=(help_,))


def unknown_secret(name: str, span: Span, known: Sequence[str]) -> Diagnostic:
    found = closest(name, known)
    if found:
        help_ = f"did you mean `{found}`?"
    else:
        help_ = f"the secrets: {listed(known)}" if known else f"declare it in the flow: `secret {name} {{ … }}`"
    return _error("F0226", f"there is no secret `{name}`", span, "unknown secret", help=(help_,), fix=found)


def several_loops(span: Span, one: tuple[str, Span], other: tuple[str, Span], apart: str) -> Diagnostic:
    """`either(…)[*]` over steps of two loops; each is a step and its loop. `apart` joins each of them by itself."""
    return _error(
        "F0227",
        "the arguments of `either(…)[*]` are read in one loop together",
        span,
        "these are of two loops",
        tuple(Label(head, f"`{step}` runs for each item of this list") for step, head in (one, other)),
        (f"collect each by itself: `{apart}`",),
    )


def empty_block(word: str, span: Span, *, turn: bool = False) -> Diagnostic:
    """`turn`: it has nothing but an `else` with steps."""
    if word == "else":
        help_ = "leave out the `else`"
    else:
        help_ = "turn the condition around: `if not …`" if turn else "put a step into it, or leave it out"
    return _error("F0228", f"this `{word}` holds no step", span, "nothing to run", help=(help_,))


def finally_twice(span: Span, first: Span) -> Diagnostic:
    return _error(
        "F0229",
        "a flow has one `finally`",
        span,
        "given again",
        (Label(first, "the first one"),),
        ("put all its steps into one block; those without references between them run side by side",),
    )


def own_input(name: str, span: Span, declared: Span) -> Diagnostic:
    """An input of the same step, read where the flow is seen."""
    return _error(
        "F0230",
        f"`{name}` is an input of this step, which only its body sees",
        span,
        "here the flow is seen, not the step's inputs",
        (Label(declared, "the input"),),
        ("write here what the input is given",),
    )


def not_a_step(name: str, what: str, span: Span, declared: Span) -> Diagnostic:
    """`after` names something else; `what` is the kind of declaration."""
    loop = what == "loop variable"
    help_ = "to wait for a whole block name any step inside it" if loop else "it is there before any step runs"
    return _error(
        "F0231",
        f"`after` takes steps, and `{name}` is a {what}",
        span,
        "not a step",
        (Label(declared, "declared here"),),
        (help_,),
    )


def own_output_in_body(name: str, span: Span) -> Diagnostic:
    return _error(
        "F0232",
        "a step cannot read what it writes itself",
        span,
        "an output of this very step",
        help=(f"the path to write it to is `out.{name}`",),
        fix=f"out.{name}",
    )


def of_another_loop(text: str, span: Span, word: str, loop: Span) -> Diagnostic:
    """In `either(…)[*]`, something of a loop that is around the reader and not around what has the star."""
    return _error(
        "F0233",
        f"{text} is of the `{word}` around here, and `either(…)[*]` is read in another loop",
        span,
        "not known in that loop",
        (Label(loop, "around the reader, but not around that loop"),),
        ("put a literal, a parameter or a step from outside here; what this was to read can be an input of its own",),
    )


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
