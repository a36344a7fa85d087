"""F02xx: the graph and what may be absent. See `faults`.

Blocks have no names in the language, so messages call them by what stands in the file: `called`.
"""

from __future__ import annotations

from collections.abc import Sequence

from flowc.dsl.diagnostics import Diagnostic, Label
from flowc.dsl.spans import Span

from .model import Branch, FanOut, Loop, Node, Step

# A ring of a thousand steps is told by some of them.
_LONGEST_RING = 8


def called(node: Node) -> str:
    """A node in the words of a message."""
    match node:
        case Step():
            return f"`{node.name}`"
        case FanOut():
            return f"the `foreach {node.name}` block"
        case Branch():
            return f"the `if` in line {node.line}"
        case Loop():
            return f"the `repeat` in line {node.line}"


# --- the graph --------------------------------------------------------------------------------------------------------


def cycle(ring: Sequence[str], causes: Sequence[Label], read: str | None) -> Diagnostic:
    """`ring[i]`, in words, waits for `ring[i + 1]` for the reason `causes[i]`, and the last one for the first.

    `read`: an output that is read in the ring and could be that of the turn before.
    """
    turn = (f"what the turn before has made is `previous({read}, …)`, with the first turn's value behind the comma",)
    shown = [*ring, ring[0]]
    if len(shown) > _LONGEST_RING:
        shown = [*shown[: _LONGEST_RING - 2], "…", shown[-1]]
    return _error(
        "F0206",
        f"these wait for each other: {' → '.join(shown)}",
        causes[0].span,
        causes[0].text,
        tuple(causes[1:_LONGEST_RING]),
        ("take one of these references out of the ring", *(turn if read else ())),
    )


def waits_for_itself(node: Node, step: str, read: str | None, span: Span, loop: Loop | None) -> Diagnostic:
    """A step, or the head of a block, that reads or names `step`, itself or one inside; `loop` is around it."""
    what = called(node)
    if isinstance(node, Step):
        message, label = f"`{step}` waits for itself", "this is the step itself"
        help_ = "take the line out, or name another step"
        if read is not None and loop is not None:
            help_ = (
                f"the value of the turn before is `previous({read}, …)`, with the first turn's value behind the comma"
            )
    else:
        message = f"{what} waits for `{step}`, which is inside it"
        label = "known only when the block has run"
        help_ = "what the head of a block reads comes from steps outside the block"
    related = () if isinstance(node, Step) else (Label(node.span, f"{what} begins here"),)
    return _error("F0250", message, span, label, related, (help_,))


# --- what may be absent -----------------------------------------------------------------------------------------------


def other_arm(step: str, read: str, span: Span, its_arm: Span, reader: str, own_arm: Span) -> Diagnostic:
    return _error(
        "F0251",
        f"`{read}` never exists here: `{step}` is in another arm of the same `if`",
        span,
        "only one of the arms is taken",
        (Label(its_arm, f"`{step}` runs in this arm"), Label(own_arm, f"{reader} is in this one")),
        ("put the step before the `if`, or read its output behind it, with `either(…)`",),
    )


def may_be_skipped(step: str, read: str, span: Span, arm: Span, remedy: str) -> Diagnostic:
    return _error(
        "F0252",
        f"`{read}` may be absent here, since `{step}` runs only if its arm of an `if` is taken",
        span,
        "may be absent",
        (Label(arm, f"`{step}` runs only in this arm"),),
        (remedy,),
    )


def items_may_be_skipped(step: str, read: str, span: Span, arm: Span, remedy: str) -> Diagnostic:
    return _error(
        "F0253",
        f"`{read}` may lack items, since `{step}` runs only if its arm of an `if` is taken",
        span,
        "items may be absent",
        (Label(arm, f"`{step}` runs only in this arm, for each item anew"),),
        (remedy,),
    )


def may_have_failed(step: str, read: str, span: Span, declared: Span, remedy: str) -> Diagnostic:
    return _error(
        "F0254",
        f"`{read}` may be absent here, since `{step}` may fail without ending the run",
        span,
        "may be absent",
        (Label(declared, "has `allow_failure`"),),
        (remedy,),
    )


def items_may_have_failed(step: str, read: str, span: Span, declared: Span, remedy: str) -> Diagnostic:
    return _error(
        "F0255",
        f"`{read}` may lack items, since `{step}` may fail without ending the run",
        span,
        "items may be absent",
        (Label(declared, "has `allow_failure`"),),
        (remedy,),
    )


def either_not_total(span: Span, case: str, related: tuple[Label, ...], remedy: str) -> Diagnostic:
    """`case` is in words, without an argument that is present then."""
    return _error(
        "F0256", f"this `either` has no value when {case}", span, "not every case is covered", related, (remedy,)
    )


def finally_may_lack(step: str, read: str, span: Span, remedy: str) -> Diagnostic:
    return _error(
        "F0257",
        f"`{read}` may be absent in `finally`: the run may have failed before `{step}` was done",
        span,
        "may be absent",
        help=(remedy,),
    )


def never_used(span: Span, before: Span) -> Diagnostic:
    return _warning(
        "F0258",
        "this argument of `either` is never used",
        span,
        "never reached",
        (Label(before, "in every case one of the arguments up to here is present"),),
        ("take it out, or put it further to the front",),
    )


# --- helpers ----------------------------------------------------------------------------------------------------------


def _error(
    code: str,
    message: str,
    span: Span,
    label: str,
    related: tuple[Label, ...] = (),
    help: tuple[str, ...] = (),  # noqa: A002 - the word of the renderer
) -> Diagnostic:
    return Diagnostic(code, "error", message, span, label, related, help)


def _warning(
    code: str,
    message: str,
    span: Span,
    label: str,
    related: tuple[Label, ...] = (),
    help: tuple[str, ...] = (),  # noqa: A002 - the word of the renderer
) -> Diagnostic:
    return Diagnostic(code, "warning", message, span, label, related, help)
