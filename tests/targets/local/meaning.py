"""What a plan means, written as simply as possible: one step after the other, everything kept, nothing shared.

An interpreter to compare the engine and the runtime with. It takes a plan and a `World`, which says what each attempt
of each step does, and knows no store, no commit and no control value: a foreach has as many items as its list, an `if`
takes the arm of the first condition that holds, a value is absent where its step was not done.
"""

from __future__ import annotations

import hashlib
import operator
import random
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from flowc.runtime import plan as plans
from flowc.runtime.artifacts import Artifact
from flowc.runtime.values import to_text

Path: TypeAlias = "tuple[int, ...]"
Key: TypeAlias = "tuple[str, Path]"

ABSENT = object()


@dataclass(frozen=True)
class World:
    """Deterministic answers for everything that a body would decide. `ill`: how many steps in a hundred fail at all."""

    seed: int
    ill: int = 0

    def chance(self, *about: object) -> random.Random:
        return random.Random(f"{self.seed} {about}")

    def failures(self, step: str, path: Path) -> int:
        """How many attempts of the instance fail, from the first."""
        rng = self.chance(step, path)
        return rng.choice((1, 1, 2, 99)) if rng.randrange(100) < self.ill else 0

    def param(self, param: plans.Param) -> Any:
        return param.default if not param.required else self._value(param.type, self.chance(param.name))

    def output(self, step: str, path: Path, output: plans.Output, nodes: int) -> Any:
        def one(node: int) -> Any:
            return self._value(output.type, self.chance(step, path, output.name, node))

        return [one(node) for node in range(nodes)] if output.each else one(0)

    def _value(self, type_: str, rng: random.Random) -> Any:
        if type_.startswith("list["):
            return [self._value(type_[5:-1], rng) for _ in range(rng.choice((0, 1, 2, 2, 3)))]
        if type_ in ("file", "dir", "pickle"):
            blob = hashlib.sha256(rng.randbytes(8)).hexdigest()
            return Artifact(type_, blob, rng.randrange(100), "made")
        match type_:
            case "bool":
                return rng.random() < 0.5
            case "int":
                return rng.choice((-1, 0, 1, 1, 2, 3))
            case "float":
                return rng.choice((-0.5, 0.0, 0.25, 1.5, 1e9))
            case "string":
                return rng.choice(("", "a", "b", "é\n"))
        return {"z": rng.randrange(3), "a": [None, "x"]}


@dataclass
class Meaning:
    """`run` fills everything in. `inputs` has every instance of a step that ran, whatever became of it."""

    plan: plans.Plan
    world: World
    params: dict[str, Any]
    inputs: dict[Key, dict[str, Any]] = field(default_factory=dict)
    done: dict[Key, dict[str, Any]] = field(default_factory=dict)
    allowed: set[Key] = field(default_factory=set)
    failed: list[Key] = field(default_factory=list)
    counts: dict[Key, int] = field(default_factory=dict)
    turns: dict[Key, int] = field(default_factory=dict)
    status: tuple[str, str] | None = None

    def run(self, failed_step: str | None = None) -> Meaning:
        """`failed_step`: which of the failures came first, where the order is open."""
        self.region(self.plan.nodes, ())
        named = failed_step if failed_step is not None else (self.failed[0][0] if self.failed else "")
        self.status = ("failed" if self.failed else "succeeded", named)
        self.region(self.plan.finals, ())
        return self

    # --- nodes --------------------------------------------------------------------------------------------------------

    def region(self, nodes: tuple[plans.Node, ...], path: Path) -> bool:
        """Whether all of it is over; what needs a failed step is not."""
        over: set[str] = set()
        left = list(nodes)
        while ready := next((node for node in left if set(node.needs) <= over), None):
            left.remove(ready)
            if self.node(ready, path):
                over.add(ready.name)
        return len(over) == len(nodes)

    def node(self, node: plans.Node, path: Path) -> bool:
        match node:
            case plans.Step():
                return self.step(node, path)
            case plans.FanOut():
                count = self.counts[node.name, path] = len(self.known(node.items, path))
                # Every one, also after one that failed.
                over = [self.region(node.nodes, (*path, index)) for index in range(count)]
                return all(over)
            case plans.Branch():
                conditions = self.control(node.decided, plans.Choice).conditions
                holds = next((at for at, one in enumerate(conditions) if self.known(one, path)), len(conditions))
                return holds == len(node.arms) or self.region(node.arms[holds].nodes, path)
            case plans.Loop():
                until = self.control(node.decided, plans.Ends).value
                for turn in range(node.limit):
                    self.turns[node.name, path] = turn
                    if not self.region(node.nodes, (*path, turn)):
                        return False
                    if self.known(until, (*path, turn)):
                        break
        return True

    def step(self, step: plans.Step, path: Path) -> bool:
        key = step.name, path
        nodes = step.nodes
        if step.gang is not None and step.gang.decided is not None:
            nodes = self.known(self.control(step.gang.decided, plans.Size).value, path)
        if 1 <= nodes <= plans.MOST_NODES:
            self.inputs[key] = {item.name: self.known(item.value, path) for item in step.inputs}
            if self.world.failures(*key) <= step.settings.retries:
                self.done[key] = {out.name: self.world.output(*key, out, nodes) for out in step.outputs}
                return True
        if step.settings.allow_failure:
            self.allowed.add(key)
            return True
        self.failed.append(key)
        return False

    def control(self, decided: plans.Decided, kind: type[Any]) -> Any:
        task = self.plan.node(decided.task)
        assert isinstance(task, plans.Step | plans.Decision)
        [found] = [control for control in task.controls if control.name == decided.control]
        assert isinstance(found, kind)
        return found

    # --- values -------------------------------------------------------------------------------------------------------

    def known(self, value: plans.Value, path: Path) -> Any:
        found = self.value(value, path)
        assert found is not ABSENT, (value, path)
        return found

    def value(self, value: plans.Value, path: Path) -> Any:
        match value:
            case plans.Const():
                return value.value
            case plans.FromParam():
                return self.params[value.name]
            case plans.FromRun("id"):
                return "run"
            case plans.FromRun():
                assert self.status is not None
                return self.status[value.name == "failed_step"]
            case plans.FromItem():
                block = self.plan.node(value.block)
                assert isinstance(block, plans.FanOut)
                depth = self.plan.depth(value.block)
                return self.known(block.items, path[:depth])[path[depth]]
            case plans.FromStep():
                found = self.done.get((value.step, path[: self.plan.depth(value.step)]))
                return ABSENT if found is None else found[value.output]
            case plans.Either():
                return next((one for arg in value.args if (one := self.value(arg, path)) is not ABSENT), ABSENT)
            case plans.Gather() | plans.LastTurn() | plans.Previous():
                return self.carried(value, path)
            case plans.Logic():
                for operand in value.operands:
                    found = self.value(operand, path)
                    if found is ABSENT or found is (value.word == "or"):
                        return found
                return value.word != "or"
        return self.made(value, path)

    def carried(self, value: plans.Gather | plans.LastTurn | plans.Previous, path: Path) -> Any:
        around = path[: self.plan.depth(value.block)]
        match value:
            case plans.Previous():
                turn = path[len(around)]
                return self.value(value.value, (*around, turn - 1)) if turn else self.value(value.first, path)
            case plans.LastTurn():
                last = self.turns.get((value.block, around))
                return ABSENT if last is None else self.value(value.value, (*around, last))
        count = self.counts.get((value.block, around))
        if count is None:
            return ABSENT
        found = [self.value(value.value, (*around, index)) for index in range(count)]
        return ABSENT if any(item is ABSENT for item in found) else found

    def made(self, value: plans.Value, path: Path) -> Any:
        match value:
            case plans.Not():
                parts: tuple[plans.Value, ...] = (value.operand,)
            case plans.Compare():
                parts = (value.left, value.right)
            case plans.Text():
                parts = value.parts
            case plans.MakeList():
                parts = value.items
            case plans.MakeObject():
                parts = tuple(member.value for member in value.members)
        found = [self.value(part, path) for part in parts]
        if any(item is ABSENT for item in found):
            return ABSENT
        match value:
            case plans.Not():
                return not found[0]
            case plans.Compare():
                signs = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
                return getattr(operator, signs[value.sign])(*found)
            case plans.Text():
                kinds = {bool: "bool", int: "int", float: "float", str: "string"}
                return "".join(to_text(kinds[type(item)], item) for item in found)
            case plans.MakeObject():
                return {member.name: item for member, item in zip(value.members, found, strict=True)}
        return found
