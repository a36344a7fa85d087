"""Models and plans of programs in few words, and the laws that every plan obeys."""

from __future__ import annotations

from collections.abc import Iterator

from flowc.compiler.lower import lower
from flowc.compiler.model import Model
from flowc.compiler.resolve import resolve
from flowc.dsl.parse import parse
from flowc.dsl.spans import Source
from flowc.runtime import plan as plans
from flowc.runtime.plan import Decided, Plan


def model_of(inside: str) -> Model:
    """The model of a flow with this inside."""
    return resolved(Source("flow.flow", f"flow f {{\n{inside}\n}}\n"))


def resolved(source: Source) -> Model:
    """The model of a program in which `resolve` must find no error."""
    file, diagnostics = parse(source)
    assert file is not None, diagnostics
    model, found = resolve(file)
    assert [item for item in diagnostics + found if item.severity == "error"] == []
    return model


def plan_of(inside: str) -> Plan:
    model = model_of(inside)
    plan = lower(model)
    assert list(broken_laws(model, plan)) == []
    return plan


def broken_laws(model: Model, plan: Plan) -> Iterator[str]:
    """What is wrong with a plan of this model."""
    if plans.load(plans.dump(plan)) != plan:
        yield "the text of the plan is another plan"
    names = [node.name for node in plan.all_nodes]
    if len(set(names)) != len(names):
        yield "two nodes of one name"
    yield from _order(model, plan)
    controls = [control.name for task in plan.all_nodes for control in _controls(task)]
    if len(set(controls)) != len(controls):
        yield "two control values of one name"
    decided = [(node, found) for node in plan.all_nodes if (found := _decided(node)) is not None]
    if sorted(found.control for _, found in decided) != sorted(controls):
        yield "control values that nobody asks for, or that nobody computes"
    for node, found in decided:
        yield from _decision(plan, node, found)


def _order(model: Model, plan: Plan) -> Iterator[str]:
    for nodes in _regions(plan):
        places = {node.name: place for place, node in enumerate(nodes)}
        waits = {node.name: node.needs for node in nodes}
        for node in nodes:
            if not places.keys() >= set(node.needs):
                yield f"{node.name} needs what is in another region"
            elif sorted(set(node.needs), key=places.__getitem__) != list(node.needs):
                yield f"{node.name} needs the same twice, or not in the order of the region"
            if node.name in _behind(waits, node.name):
                yield f"{node.name} waits for itself"
    for edge in model.edges:
        if edge.source not in plan.node(edge.target).needs:
            yield f"{edge.target} does not wait for {edge.source}"


def _decision(plan: Plan, node: plans.Node, decided: Decided) -> Iterator[str]:
    """Whether the deciding task is over in time, and knows what it reads."""
    task = plan.node(decided.task)
    matching = [control for control in _controls(task) if control.name == decided.control]
    if len(matching) != 1:
        yield f"{decided.task} does not compute {decided.control}"
        return
    chain, reader = _chain(plan, task), _chain(plan, node)
    if isinstance(node, plans.Loop):
        reader = (*reader, (node.name, 0))
    if reader[: len(chain)] != chain:
        yield f"{task.name} runs in other instances than {node.name}"
    way = (*(name for name, _ in _chain(plan, node)), node.name)
    if len(chain) < len(way) and task.name not in plan.node(way[len(chain)]).needs:
        yield f"{node.name} starts without {task.name}"
    siblings = {each.name: each.needs for each in next(found for found in _regions(plan) if task in found)}
    before = (
        {task.name, *_behind(siblings, task.name)} if isinstance(task, plans.Step) else _behind(siblings, task.name)
    )
    for part, under in _read(matching[0]):
        if isinstance(part, plans.FromItem):
            if part.block not in under and part.block not in {name for name, _ in chain}:
                yield f"{task.name} does not know the item of {part.block}"
            continue
        theirs = _chain(plan, plan.node(part.step))
        carried = {block.removeprefix("previous ") for block in under if block.startswith("previous ")}
        if carried & {name for name, _ in theirs}:
            continue
        shared = [a for a, b in zip(theirs, reader, strict=False) if a == b]
        if len(shared) > len(chain):
            yield f"{task.name} reads {part.step} from outside the block that both stand in"
        if theirs[: len(chain)] == chain:
            sibling = (*(name for name, _ in theirs), part.step)[len(chain)]
            if sibling not in before and (part.step in _finals(plan)) == (task.name in _finals(plan)):
                yield f"{task.name} does not wait for {part.step}"


def _read(control: plans.Control) -> Iterator[tuple[plans.FromStep | plans.FromItem, tuple[str, ...]]]:
    """The outputs and items in a control value, with the blocks that cut the path on the way to them."""
    roots = control.conditions if isinstance(control, plans.Choice) else (control.value,)
    left: list[tuple[plans.Value, tuple[str, ...]]] = [(root, ()) for root in roots]
    while left:
        value, under = left.pop()
        match value:
            case plans.FromStep() | plans.FromItem():
                yield value, under
            case plans.Gather() | plans.LastTurn():
                left.append((value.value, (*under, value.block)))
            case plans.Previous():
                left += [(value.value, (*under, f"previous {value.block}")), (value.first, under)]
            case plans.Either():
                left += [(arg, under) for arg in value.args]
            case plans.Not():
                left.append((value.operand, under))
            case plans.Logic():
                left += [(operand, under) for operand in value.operands]
            case plans.Compare():
                left += [(value.left, under), (value.right, under)]
            case plans.Text():
                left += [(part, under) for part in value.parts]
            case plans.MakeList():
                left += [(item, under) for item in value.items]
            case plans.MakeObject():
                left += [(member.value, under) for member in value.members]


def _finals(plan: Plan) -> set[str]:
    return {node.name for node in plan.finals}


def _regions(plan: Plan) -> Iterator[tuple[plans.Node, ...]]:
    yield from (plan.nodes, plan.finals)
    for node in plan.all_nodes:
        yield from plans.inside(node)


def _chain(plan: Plan, node: plans.Node) -> tuple[tuple[str, int], ...]:
    return tuple((place.block.name, place.arm) for place in plan.chain(node.name))


def _controls(node: plans.Node) -> tuple[plans.Control, ...]:
    return node.controls if isinstance(node, (plans.Step, plans.Decision)) else ()


def _decided(node: plans.Node) -> Decided | None:
    if isinstance(node, plans.Step):
        return None if node.gang is None else node.gang.decided
    return None if isinstance(node, plans.Decision) else node.decided


def _behind(waits: dict[str, tuple[str, ...]], name: str) -> set[str]:
    """All that a node waits for, in one region."""
    found: set[str] = set()
    left = list(waits[name])
    while left:
        if (one := left.pop()) not in found and one in waits:
            found.add(one)
            left += waits[one]
    return found


def tree(nodes: tuple[plans.Node, ...]) -> list[object]:
    """Names and what is inside, as nested lists: readable in an assertion."""
    found: list[object] = []
    for node in nodes:
        found.append(node.name)
        found += [tree(arm) for arm in plans.inside(node)]
    return found
