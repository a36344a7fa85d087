"""lint: what is allowed and yet hardly meant.

Takes a `Model` without errors and the folder of its file; gives warnings: parameters, inputs, secrets and loop
variables that nobody reads, outputs that no body writes, arms that are never taken, loops that do not loop. Where a
program may look at its inputs or write its outputs in a way that cannot be seen from here, nothing is said; an output
that nobody reads is a result.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Span

from . import faults
from . import lint_faults as blocks
from .lint_commands import as_variables, commands
from .model import Argv, Branch, Call, FanOut, Loop, Model, Node, Script, Step
from .values import (
    Compare,
    Constant,
    Format,
    InputRef,
    ItemRef,
    Logic,
    Not,
    Operand,
    OutputPath,
    OutputRef,
    ParamRef,
    SecretRef,
    Value,
    parts,
    walk,
)

_VARIABLE = re.compile(r"(?<!\\)\$(?:\{[!#]?)?((?:in|out)_[A-Za-z0-9_]+)")
# Whoever runs Python may read `current.inputs`; another shell script sees the variables of this one.
_LOOKS_ITSELF = re.compile(r"python|\.py\b|\.sh\b|^-m$")


def lint(model: Model, base_dir: Path) -> tuple[Diagnostic, ...]:
    return (
        *_unused_names(model),
        *(
            diagnostic
            for step in model.steps
            for diagnostic in (*_unseen(step), *_script(model, step), *commands(step, base_dir))
        ),
        *(diagnostic for node in model.nodes for diagnostic in _block(model, node)),
        *_finally(model),
    )


# --- names ------------------------------------------------------------------------------------------------------------


def _unused_names(model: Model) -> Iterator[Diagnostic]:
    params: set[str] = set()
    variables: set[str] = set()
    for part in (part for node in model.nodes for value in _values(node) for part in walk(value)):
        if isinstance(part, ParamRef):
            params.add(part.name)
        elif isinstance(part, ItemRef):
            variables.add(part.name)
    secrets = {operand.name for step in model.steps for operand in _operands(step) if isinstance(operand, SecretRef)}
    for param in model.params:
        if param.name not in params:
            yield faults.unused_param(param.name, param.span)
    for secret in model.secrets:
        if secret.name not in secrets:
            yield blocks.unused_secret(secret.name, secret.span)
    for node in model.nodes:
        if isinstance(node, FanOut) and node.name not in variables:
            yield blocks.unused_variable(node.name, node.span)


def _values(node: Node) -> Iterator[Value]:
    """All that a node reads in the scope of the flow."""
    match node:
        case Step():
            yield from (item.value for item in node.inputs)
            if node.gang is not None and not isinstance(node.gang.nodes, int):
                yield node.gang.nodes
        case FanOut():
            yield node.items
        case Branch():
            yield from (arm.condition for arm in node.arms if arm.condition is not None)
        case Loop():
            yield node.until


def _operands(step: Step) -> Iterator[Operand]:
    """What a step's command and its environment are made of."""
    whole = [item.value for item in step.env]
    if isinstance(step.body, Argv):
        whole += step.body.items
    for operand in whole:
        yield from operand.parts if isinstance(operand, Format) else (operand,)


# --- bodies -----------------------------------------------------------------------------------------------------------


def _unseen(step: Step) -> Iterator[Diagnostic]:
    """Inputs that the body does not read, and outputs that it does not write."""
    operands = tuple(_operands(step))
    read = {item.name for item in operands if isinstance(item, InputRef)}
    written = {item.name for item in operands if isinstance(item, OutputPath)}
    for known, more in zip((read, written), as_variables(step), strict=True):
        known |= more
    match step.body:
        case Argv():
            texts = [item.value for item in operands if isinstance(item, Constant)]
            if step.gang or any(isinstance(text, str) and _LOOKS_ITSELF.search(text) for text in texts):
                return
            use = "write `{name}` in the command, or `after` if the step only has to wait"
            remedy = "give the program its path: `out.{name}`"
        case Script(language="bash", text=text) if not _LOOKS_ITSELF.search(text):
            read |= {item.name for item in step.inputs if f"in_{item.name}" in text}
            written |= {item.name for item in step.outputs if f"out_{item.name}" in text}
            use = 'the script has it as "$in_{name}"'
            remedy = 'the path to write it to is "$out_{name}"'
        case Script() | Call() | None:
            return
    for item in step.inputs:
        if item.name not in read:
            yield faults.unused_input(item.name, step.name, item.span, use.format(name=item.name))
    for output in step.outputs:
        if output.name not in written:
            yield blocks.never_written(output.name, step.name, output.span, remedy.format(name=output.name))


def _script(model: Model, step: Step) -> Iterator[Diagnostic]:
    body = step.body
    if not isinstance(body, Script) or body.language != "bash":
        return
    known = [f"in_{item.name}" for item in step.inputs] + [f"out_{item.name}" for item in step.outputs]
    own = {item.name for item in step.env}
    for name in dict.fromkeys(_VARIABLE.findall(body.text)):
        if (
            name in known
            or name in own
            or re.search(rf"\b{name}\+?=|\b(for|read|local|declare)\b.*\b{name}\b", body.text)
        ):
            continue
        # The script's text stands in the file behind the language's name, indented differently.
        found = re.compile(rf"\b{name}\b").search(model.source.text, body.span.end)
        start = found.start() if found else body.span.start
        yield faults.unknown_in_script(name, Span(start, start + len(name)), step.name, known)


# --- blocks -----------------------------------------------------------------------------------------------------------


def _block(model: Model, node: Node) -> Iterator[Diagnostic]:
    if isinstance(node, Branch):
        yield from _arms(node)
    elif isinstance(node, Loop):
        if node.limit == 1:
            yield blocks.one_turn(node.span)
        else:
            yield from _until(model, node)


def _arms(branch: Branch) -> Iterator[Diagnostic]:
    asked: dict[tuple[object, ...], Span] = {}
    for number, arm in enumerate(branch.arms):
        if arm.condition is None:
            return
        known, key = _known(arm.condition), _key(arm.condition)
        if known is not None:
            following = branch.arms[number + 1].span if known and number + 1 < len(branch.arms) else None
            yield blocks.constant_condition(arm.condition.span, following, holds=known)
        elif key in asked:
            yield blocks.same_condition(arm.condition.span, asked[key])
        if known:
            return  # the others are not worth a word
        asked.setdefault(key, arm.condition.span)


def _until(model: Model, loop: Loop) -> Iterator[Diagnostic]:
    known = _known(loop.until)
    if known is False:
        return  # how one says "exactly so often"
    read = (part.step for part in walk(loop.until) if isinstance(part, OutputRef))
    if not any(place.block is loop for step in read for place in model.chain(step)):
        yield blocks.same_in_every_turn(loop.until.span, ends=known is True)


def _finally(model: Model) -> Iterator[Diagnostic]:
    for name in (step.name for step in model.steps if step.name in model.final_names):
        for other, span in model.step(name).after:
            if other not in model.final_names:
                yield blocks.after_in_finally(other, span)


def _known(value: Value) -> bool | None:
    """What a condition is in every run, if it can be told."""
    match value:
        case Constant(value=bool() as known):
            return known
        case Not():
            inner = _known(value.operand)
            return None if inner is None else not inner
        case Logic():
            operands = [_known(operand) for operand in value.operands]
            decisive = value.word == "or"
            if decisive in operands:
                return decisive
            return None if None in operands else not decisive
        case Compare(left=Constant(value=left), right=Constant(value=right)):
            return _compared(value.sign, left, right)
    return None


def _compared(sign: str, left: object, right: object) -> bool | None:
    if sign in ("==", "!="):
        return (left == right) == (sign == "==")
    if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
        return None
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[sign]


def _key(value: Value) -> tuple[object, ...]:
    """Equal for values that say the same in different places."""
    own = tuple(getattr(value, name, None) for name in _TELLING)
    constant = repr(value.value) if isinstance(value, Constant) else ""
    return (type(value), own, constant, *(_key(part) for part in parts(value)))


_TELLING = ("name", "step", "output", "each", "block", "sign", "word")
