"""A run of a plan with no engine, store or process: steps make up their outputs, all else is as the plan has it.

`run(plan, seed)` gives the `Record`. The seed settles the parameters, every output, which steps with `allow_failure`
fail, and the order: any one that `needs` allows. With `stops`, any step may fail for good, after which `finally` runs.

What no engine could do is a `Violation`: a value that is absent or not of its type, a list, an arm or a loop's end that
nobody has decided, a wait that never ends, something asked for before it is over, something that runs twice.
`TooLongError` is no fault of the plan: loops in loops in loops.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TypeVar

from flowc.runtime import plan as plans
from flowc.runtime.evaluate import ABSENT, evaluate, evaluate_control
from tests.meaning.record import Instance, Path, Record, Violation, fits, make

MOST_INSTANCES = 4000

_T = TypeVar("_T")


class TooLongError(Exception):
    """More instances than it is worth to wait for."""


class _StoppedError(Exception):
    """A step has failed for good."""


def run(plan: plans.Plan, seed: int, *, stops: bool = False) -> Record:
    try:
        return _Run(plan, seed, stops).all()
    except plans.PlanError as error:
        raise Violation(str(error)) from error


class _Run:
    """One run, and the `Reader` of its own values."""

    def __init__(self, plan: plans.Plan, seed: int, stops: bool) -> None:
        self.plan = plan
        self.seed = seed
        self.stops = stops
        self.rng = random.Random(seed)
        params = {param.name: self._given(param) for param in plan.params}
        self.record = Record(params, {"id": "r1", "status": "succeeded", "failed_step": ""})
        self.final = False
        self.started: set[Instance] = set()
        # Who was found to have left nothing: an answer that has to stay true.
        self.missed: set[Instance] = set()
        self.decided: dict[Instance, dict[str, Any]] = {}

    def _given(self, param: plans.Param) -> Any:
        rng = random.Random(f"{self.seed}/{param.name}")
        return make(param.type, rng, param.name) if param.required or rng.random() < 0.6 else param.default

    def all(self) -> Record:
        with suppress(_StoppedError):
            self._region(self.plan.nodes, ())
        self.final = True
        self._region(self.plan.finals, ())
        return self.record

    # --- the Reader ---------------------------------------------------------------------------------------------------

    def expect(self, instances: Iterable[Instance]) -> None:
        """Whoever gets them all at once may find, and seal, that one has left nothing."""
        for instance in instances:
            if instance not in self.record.outputs and instance not in self.decided:
                self._miss(instance)

    def param(self, name: str) -> Any:
        return self.record.params[name]

    def run_value(self, name: str) -> str:
        return self.record.run[name]

    def has_outputs(self, step: str, path: Path) -> bool:
        if (step, path) in self.record.outputs:
            return True
        self._miss((step, path))
        return False

    def output(self, step: str, path: Path, output: str, *, each: bool) -> Any:
        if (step, path) not in self.record.outputs:
            raise Violation(f"{step}{path}.{output} is read, but has not been made")
        value = self.record.outputs[step, path][output]
        if isinstance(value, tuple) != each:
            raise Violation(f"{step}.{output} is read as if it were {'' if each else 'not '}from every node")
        return list(value) if each else value

    def control(self, task: str, path: Path, name: str) -> Any:
        if (task, path) in self.decided:
            return self.decided[task, path][name]
        self._miss((task, path))
        return None

    def _miss(self, task: Instance) -> None:
        if task in self.started and task not in self.record.failed:
            raise Violation(f"{task} is asked for while it runs")
        self.missed.add(task)

    # --- the nodes ----------------------------------------------------------------------------------------------------

    def _region(self, nodes: tuple[plans.Node, ...], path: Path) -> None:
        left, over = list(nodes), set[str]()
        while left:
            ready = [node for node in left if over.issuperset(node.needs)]
            if not ready:
                raise Violation(f"these wait for ever: {[node.name for node in left]}")
            node = self.rng.choice(ready)
            left.remove(node)
            self._node(node, path)
            over.add(node.name)

    def _node(self, node: plans.Node, path: Path) -> None:
        match node:
            case plans.Decision():
                self._start((node.name, path))
                self._decide(node, path)
            case plans.Step():
                self._start((node.name, path))
                self._step(node, path)
            case plans.FanOut():
                indexes = list(self._choice(node.name, node.decided, path, list))
                self.rng.shuffle(indexes)
                for index in indexes:
                    self._region(node.nodes, (*path, index))
            case plans.Branch():
                arm = self._choice(node.name, node.decided, path, int)
                if arm < len(node.arms):
                    self._region(node.arms[arm].nodes, path)
                elif node.total:
                    raise Violation(f"{node.name} has taken no arm")
            case plans.Loop():
                for turn in range(node.limit):
                    self._region(node.nodes, (*path, turn))
                    if self._choice(node.name, node.decided, (*path, turn), bool):
                        break

    def _start(self, task: Instance) -> None:
        if task in self.started:
            raise Violation(f"{task} runs twice")
        if task in self.missed:
            raise Violation(f"{task} was asked for before it ran")
        self.started.add(task)
        if len(self.started) > MOST_INSTANCES:
            raise TooLongError

    def _decide(self, task: plans.Step | plans.Decision, path: Path) -> None:
        made = {
            control.name: evaluate_control(control, path, self.plan, self, final=self.final)
            for control in task.controls
        }
        self.decided[task.name, path] = made

    def _choice(self, owner: str, decided: plans.Decided, path: Path, kind: type[_T]) -> _T:
        found = self.control(decided.task, path[: self.plan.depth(decided.task)], decided.control)
        if type(found) is not kind:
            raise Violation(f"{owner}{path} should have got a {kind.__name__}, not {found!r}")
        return found

    def _step(self, step: plans.Step, path: Path) -> None:
        inputs: dict[str, Any] = {}
        for item in step.inputs:
            value = evaluate(item.value, path, self.plan, self, final=self.final)
            if value is ABSENT or not fits(value, item.type):
                raise Violation(f"{step.name}{path}: `in {item.name}` is {value!r}, no {item.type}")
            inputs[item.name] = value
        self.record.inputs[step.name, path] = inputs
        size = self._size(step, path)
        self.record.sizes[step.name, path] = size
        # Its own numbers, so that a step does the same in whichever order the run goes.
        rng = random.Random(f"{self.seed}/{step.name}/{path}")
        if step.settings.allow_failure and rng.random() < 0.3:
            self.record.failed.add((step.name, path))
            return
        if self.stops and not self.final and not step.settings.allow_failure and rng.random() < 0.15:
            self.record.failed.add((step.name, path))
            self.record.run.update(status="failed", failed_step=step.name)
            raise _StoppedError
        self.record.outputs[step.name, path] = {
            output.name: tuple(make(output.type, rng, (step.name, path, output.name, node)) for node in range(size))
            if output.each
            else make(output.type, rng, (step.name, path, output.name))
            for output in step.outputs
        }
        self._decide(step, path)

    def _size(self, step: plans.Step, path: Path) -> int:
        if step.gang is None:
            return 1
        if step.gang.nodes is not None:
            return step.gang.nodes
        assert step.gang.decided is not None
        return self._choice(step.name, step.gang.decided, path, int)
