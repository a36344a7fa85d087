"""decisions: which task computes each control value of a flow.

Takes a `Model` without errors; gives `Decisions`. A control value is what an engine has to know: the indexes of a
`foreach`, the arm of an `if`, whether a turn of a `repeat` is the last, the size of a gang. The rule, in this order:

1. What hangs on literals, parameters and the run's id alone is computed by one task at the beginning, `plan.BEGIN`.
2. What hangs on outputs of one step, read plainly and in the step's own instance, is computed by that step's task when
   its body is done, which saves a task. Not where the step has `allow_failure`: a step that fails computes nothing.
   Whatever else the value reads must be known there too: a loop variable only of a loop around the step.
3. Everything else is a small task of its own, `decide.CONTROL`, in the outermost region where all that it reads is
   known: inside every loop whose item or present turn it reads, and inside every block that it shares with a step that
   it reads. An `until` that reads its own turn stands in the loop's region.

In `finally` the first rule does not hold, because the task at the beginning may be what has failed.

Steps 2 and 3 never wait for more than the node itself waits for. The size of a gang that no gang can have fails the
gang and not the task that computes it (see `plan.Size`): so it may be computed outside of an arm that is never taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flowc.runtime import plan

from . import model, values
from .lower_values import value as lowered


@dataclass(frozen=True, slots=True)
class Decisions:
    """Who decides what.

    `decided` is by the name of the block or of the gang's step; `controls` by step; `tasks` by the region's name, in
    the order of the file; `needs` are the decisions that a node waits for, also for what it holds.
    """

    decided: dict[str, plan.Decided]
    controls: dict[str, tuple[plan.Control, ...]]
    tasks: dict[str, tuple[plan.Decision, ...]]
    needs: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Question:
    """A control value to be computed: `owner` is the node that it is about, `chain` the blocks around its reader."""

    owner: model.Node
    control: plan.Control
    values: tuple[values.Value, ...]
    chain: tuple[model.Place, ...]


def decisions(flow: model.Model) -> Decisions:
    decided: dict[str, plan.Decided] = {}
    controls: dict[str, list[plan.Control]] = {}
    tasks: dict[str, list[plan.Decision]] = {}
    # Dictionaries instead of sets: their order is that of the file.
    needs: dict[str, dict[str, None]] = {}
    begin: list[plan.Control] = []
    for question in _questions(flow):
        name, control = question.owner.name, question.control
        step = _own_step(flow, question)
        if step is not None:
            decided[name] = plan.Decided(step, control.name)
            controls.setdefault(step, []).append(control)
            continue
        depth = 0
        if _at_begin(flow, question):
            task = plan.BEGIN
            begin.append(control)
        else:
            task = f"decide.{control.name}"
            depth = _depth(flow, question)
            region = _region_name(flow, question, depth)
            made = plan.Decision(task, _needs(flow, question, depth), (control,))
            tasks.setdefault(region, []).append(made)
        decided[name] = plan.Decided(task, control.name)
        way = (*(place.block.name for place in flow.chain(name)), name)
        if depth < len(way):  # not for an `until` that is decided within its turn
            needs.setdefault(way[depth], {})[task] = None
    if begin:
        tasks.setdefault(flow.region.name, []).insert(0, plan.Decision(plan.BEGIN, (), tuple(begin)))
    return Decisions(
        decided,
        {step: tuple(found) for step, found in controls.items()},
        {region: tuple(found) for region, found in tasks.items()},
        {node: tuple(waits) for node, waits in needs.items()},
    )


def _questions(flow: model.Model) -> Iterator[_Question]:
    """All control values of the flow, in the order of the file."""
    for node in flow.nodes:
        chain = flow.chain(node.name)
        match node:
            case model.FanOut():
                yield _Question(node, plan.Items(node.name, lowered(node.items)), (node.items,), chain)
            case model.Branch():
                conditions = tuple(arm.condition for arm in node.arms if arm.condition is not None)
                yield _Question(node, plan.Choice(node.name, tuple(map(lowered, conditions))), conditions, chain)
            case model.Loop():
                inside = (*chain, model.Place(node, 0))
                yield _Question(node, plan.Ends(node.name, lowered(node.until)), (node.until,), inside)
            case model.Step(gang=model.Gang(nodes=size)) if not isinstance(size, int):
                yield _Question(node, plan.Size(f"nodes.{node.name}", lowered(size)), (size,), chain)


def _parts(question: _Question) -> tuple[values.Value, ...]:
    return tuple(part for value in question.values for part in values.walk(value))


def _at_begin(flow: model.Model, question: _Question) -> bool:
    reads = any(isinstance(part, (values.OutputRef, values.ItemRef)) for part in _parts(question))
    return not reads and question.owner.name not in flow.final_names


def _own_step(flow: model.Model, question: _Question) -> str | None:
    """The step whose task can compute the control value when its body is done."""
    parts = _parts(question)
    steps = {part.step for part in parts if isinstance(part, values.OutputRef)}
    if len(steps) != 1 or any(isinstance(part, (values.Gather, values.LastTurn, values.Previous)) for part in parts):
        return None
    step = flow.step(*steps)
    chain = flow.chain(step.name)
    around = {place.block.name for place in chain}
    known = all(part.name in around for part in parts if isinstance(part, values.ItemRef))
    # Elsewhere it may not have run: in an arm that `either` reads from outside, or in the flow, for `finally`.
    always = _shared(chain, question.chain) == len(chain) and _in_same_part(flow, step.name, question)
    return step.name if known and always and not step.settings.allow_failure else None


def _depth(flow: model.Model, question: _Question) -> int:
    """How many of the blocks around the reader are around the decision too; see the module's text."""
    least = 0
    for part in _parts(question):
        match part:
            case values.OutputRef():
                least = max(least, _shared(flow.chain(part.step), question.chain))
            case values.ItemRef():
                least = max(least, _shared(_into(flow, part.name), question.chain))
            case values.Gather() | values.LastTurn() | values.Previous():
                least = max(least, _shared(_into(flow, part.block), question.chain))
    return least


def _into(flow: model.Model, name: str) -> tuple[model.Place, ...]:
    """The blocks around what stands in the loop of this name."""
    block = flow.node(name)
    assert not isinstance(block, model.Step)
    return (*flow.chain(name), model.Place(block, 0))


def _shared(one: tuple[model.Place, ...], other: tuple[model.Place, ...]) -> int:
    """The number of blocks, from the outermost, that hold both, in the same arm."""
    # By name: comparing blocks would compare all that they hold.
    pairs = enumerate(zip(one, other, strict=False))
    ends = (at for at, (a, b) in pairs if (a.block.name, a.arm) != (b.block.name, b.arm))
    return next(ends, min(len(one), len(other)))


def _region_name(flow: model.Model, question: _Question, depth: int) -> str:
    if depth == 0:
        return (flow.finals if question.owner.name in flow.final_names else flow.region).name
    place = question.chain[depth - 1]
    return model.regions_of(place.block)[place.arm].name


def _needs(flow: model.Model, question: _Question, depth: int) -> tuple[str, ...]:
    """The siblings of a decision that hold what it reads. What stands further out is over before its region begins."""
    found: dict[str, None] = {}
    for reference in values.references(*question.values):
        chain = flow.chain(reference.step)
        carried = any(place.block.name in reference.carried for place in chain)
        if carried or not _in_same_part(flow, reference.step, question):
            continue
        if _shared(chain, question.chain[:depth]) == depth:
            found[(*(place.block.name for place in chain), reference.step)[depth]] = None
    return tuple(found)


def _in_same_part(flow: model.Model, step: str, question: _Question) -> bool:
    """Both in `finally`, or both in the flow itself."""
    return (step in flow.final_names) == (question.owner.name in flow.final_names)
