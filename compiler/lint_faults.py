"""F026x, F027x: what is allowed and yet hardly meant; all of them warnings. See `faults`."""

from __future__ import annotations

from flowc.dsl.diagnostics import Diagnostic, Label, replace
from flowc.dsl.spans import Span


def constant_condition(span: Span, following: Span | None, *, holds: bool) -> Diagnostic:
    """`following` is the head of the arm behind it, where there is one."""
    if holds:
        message = "this condition always holds" + (", so what follows is never taken" if following else "")
    else:
        message = "this condition never holds, so its arm is never taken"
    related = (Label(following, "never taken"),) if following else ()
    help_ = "ask something that the run decides: a parameter, or an output of a step"
    return _warning("F0260", message, span, "the same in every run", related, (help_,))


def same_condition(span: Span, first: Span) -> Diagnostic:
    return _warning(
        "F0261",
        "this condition was asked before",
        span,
        "never holds here",
        (Label(first, "where it holds, this arm is taken"),),
        ("ask something else, or take the arm out",),
    )


def unused_variable(name: str, span: Span) -> Diagnostic:
    return _warning(
        "F0262",
        f"no step in the loop reads `{name}`",
        span,
        "never read",
        help=(f"every item runs the same; add `in {name}` to a step that needs it",),
    )


def one_turn(span: Span) -> Diagnostic:
    return _warning(
        "F0263",
        "a loop of at most one turn is no loop",
        span,
        "ends after its first turn",
        help=("write a larger number behind `max`, or the steps without `repeat`",),
    )


def same_in_every_turn(span: Span, *, ends: bool) -> Diagnostic:
    """`ends`: it is true, and not only the same."""
    return _warning(
        "F0264",
        "this `until` is the same after every turn" if not ends else "this `until` ends the loop after its first turn",
        span,
        "reads nothing that the loop makes",
        help=("compare an output of a step in the loop; for a fixed number of turns write `until false`",),
    )


def unused_secret(name: str, span: Span) -> Diagnostic:
    return _warning(
        "F0265",
        f"the secret `{name}` is never used",
        span,
        "no `env` holds it",
        help=(f"add `env {name.upper()} = secret.{name}` to a step, or take the secret out",),
    )


def never_written(name: str, step: str, span: Span, remedy: str) -> Diagnostic:
    return _warning(
        "F0266",
        f"`{step}` does not write its output `{name}`",
        span,
        "its path is nowhere in the body",
        help=(remedy,),
    )


def after_in_finally(name: str, span: Span) -> Diagnostic:
    return _warning(
        "F0267",
        f"`after {name}` changes nothing in `finally`",
        span,
        "over already",
        help=("`finally` begins when all steps of the flow are over; take the name out",),
    )


def one_word(text: str, span: Span, words: str | None) -> Diagnostic:
    """`words` is the same as elements of the list, where it holds nothing for a shell."""
    return _warning(
        "F0268",
        f"the program's name is `{text}`, with blanks in it",
        span,
        "one word of the command",
        help=(f"a command is a list of words: run [{words}]" if words else "what a shell reads stands in `run bash`",),
        fix=words,
    )


def started_by_hand(program: str, block: str, span: Span) -> Diagnostic:
    return _warning(
        "F0269",
        f"every node of the gang starts `{program}`, which knows nothing of the others",
        span,
        "a launcher",
        help=(f"add `{block} {{}}` to the step and begin the command with your own program: flowc starts it",),
    )


def not_a_shell(variable: str, meant: str, span: Span, *, alone: bool) -> Diagnostic:
    """`alone`: it is all of the argument."""
    written = f"`{meant}`, without quotes" if alone else f"`${{{meant}}}`"
    return _warning(
        "F0270",
        f"no shell reads this command: `{variable}` is passed as it stands",
        span,
        "not a variable here",
        help=(f"write {written}",),
        fix=meant if alone else None,
    )


def _warning(
    code: str,
    message: str,
    span: Span,
    label: str,
    related: tuple[Label, ...] = (),
    help: tuple[str, ...] = (),  # noqa: A002 - the word of the renderer
    fix: str | None = None,
) -> Diagnostic:
    replaced = replace(span, fix, certain=True) if fix else None
    return Diagnostic(code, "warning", message, span, label, related, help, replaced)
