"""DAG templates: which task runs when, and what the whole comes to.

Takes a DAG template after its inputs were substituted; gives a generator that is stepped until the DAG's node has
ended. A task starts when every task that its `depends` names is fulfilled and the logic holds, else it is Omitted.
Then come the tags `tasks.*` (only of ancestors), then the expansion of `withSequence` with `item`, then `when`.

The DAG's phase comes from its leaf tasks: a leaf that was Skipped or Omitted has the phases of its parents, with
failure winning. The DAG waits for every node that was started. `failFast` only decides whether it also waits for
leaves that could not start yet, which is what Argo's source does, and less than its documentation promises.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from . import depends, expressions
from .errors import NodeError, UnsupportedField
from .expressions import ExpressionError, MissingNameError, Value
from .nodes import COMPLETED, Node, any_string
from .substitute import leftovers, replace

if TYPE_CHECKING:
    from .workflow import Templates, Workflow

Steps = Iterator[None]


class Dag:
    def __init__(
        self, workflow: Workflow, node: Node, template: Mapping[str, Any], home: Templates, exit_: bool
    ) -> None:
        self.workflow, self.node, self.template, self.home, self.exit = workflow, node, template, home, exit_
        self.tasks = {task["name"]: task for task in template["dag"]["tasks"]}
        self.logic = {
            name: depends.parse(task["depends"], f"{template['name']}.{name}.depends")
            if task.get("depends")
            else depends.Depends((), (), lambda held: True)
            for name, task in self.tasks.items()
        }
        for name, logic in self.logic.items():
            for needed in logic.tasks:
                if needed not in self.tasks:
                    raise UnsupportedField(f"{template['name']}.{name}.depends", f"unknown task {needed}")
        self.nodes: dict[str, Node] = {}
        self.items: dict[str, list[tuple[str, str, Mapping[str, Any], dict[str, str | None]]]] = {}
        self.running: list[tuple[Node, Steps]] = []
        parallelism = template.get("parallelism")
        self.slots = int(parallelism) if parallelism is not None else None

    def run(self) -> Steps:
        while True:
            self.running = [(node, steps) for node, steps in self.running if not _finished(steps)]
            while self._schedule():
                pass
            phase = self._assess()
            if phase is not None:
                if phase == "Succeeded":
                    self._outputs()
                self.node.end(phase)
                return
            yield

    # Scheduling

    def _schedule(self) -> bool:
        """Start what can start; True when something changed, because that may let other tasks start or be omitted."""
        changed = False
        stopping = self.workflow.stopping(self.exit)
        for name in self.tasks:
            if name not in self.nodes and not stopping:
                changed |= self._consider(name)
            if self.items.get(name) and not stopping:
                self._start_items(name)
            changed |= self._close_group(name, stopping)
        return changed

    def _consider(self, name: str) -> bool:
        logic = self.logic[name]
        if not all(needed in self.nodes and self.nodes[needed].fulfilled for needed in logic.tasks):
            return False
        if not logic.holds({needed: self._results(needed) for needed in logic.tasks}):
            self._leaf(name, "Omitted", "omitted: depends condition not met")
            return True
        try:
            return self._prepare(name)
        except NodeError as error:
            self.nodes[name] = self.nodes.get(name) or self._leaf(name, "Error", str(error))
            self.nodes[name].end("Error", str(error))
            return True

    def _results(self, name: str) -> frozenset[str]:
        node = self.nodes[name]
        items = tuple(child.phase for child in node.children) if node.type == "TaskGroup" else ()
        return depends.results_of(node.phase, items)

    def _leaf(self, name: str, phase: str, message: str) -> Node:
        self.nodes[name] = self.node.child(f"{self.node.name}.{name}", name, "Skipped", self._template_name(name))
        self.nodes[name].end(phase, message)
        return self.nodes[name]

    def _template_name(self, name: str) -> str:
        task = self.tasks[name]
        return str(task["template"] if "template" in task else task["templateRef"]["template"])

    def _prepare(self, name: str) -> bool:
        task, arguments = self._resolve(self.tasks[name], self._scope(name))
        if "withSequence" in task:
            count = str(task["withSequence"].get("count", ""))
            if not count.isdigit():
                raise NodeError(f"withSequence.count {count!r} is not a number")
            if count == "0":
                self._leaf(name, "Skipped", "Skipped, empty params")
                return True
            self.nodes[name] = self.node.child(f"{self.node.name}.{name}", name, "TaskGroup", self._template_name(name))
            self.items[name] = []
            scope = {**self.workflow.globals, **self._scope(name)}
            for index in range(int(count)):
                item = replace(task, {**scope, "item": str(index)})
                self.items[name].append((name, f"{name}({index}:{index})", item, _arguments(item, arguments)))
            return True
        if not self._free():
            return False
        self._start(name, name, task, arguments, self.node)
        return True

    def _resolve(
        self, task: Mapping[str, Any], scope: Mapping[str, Value]
    ) -> tuple[Mapping[str, Any], dict[str, str | None]]:
        """Substitute the results of ancestors; an argument that is nothing but an absent output is dropped."""
        absent = {f"{{{{{name}}}}}" for name, value in scope.items() if value is None}
        whole = (task.get("arguments") or {}).get("parameters") or []
        kept = [parameter for parameter in whole if parameter["value"] not in absent]
        bare = {**task, "arguments": {"parameters": kept}}
        resolved = replace(bare, {**self.workflow.globals, **scope})
        dropped: dict[str, str | None] = {p["name"]: None for p in whole if p["value"] in absent}
        return resolved, _arguments(resolved, dropped)

    def _scope(self, name: str) -> dict[str, Value]:
        scope: dict[str, Value] = {}
        for ancestor in self._ancestors(name):
            scope.update(self._results_scope(ancestor))
        return scope

    def _ancestors(self, name: str) -> list[str]:
        found: list[str] = []
        waiting = list(self.logic[name].tasks)
        while waiting:
            needed = waiting.pop()
            if needed not in found:
                found.append(needed)
                waiting += self.logic[needed].tasks
        return found

    def _results_scope(self, name: str) -> dict[str, Value]:
        node, prefix = self.nodes[name], f"tasks.{name}"
        scope: dict[str, Value] = {f"{prefix}.status": node.phase, f"{prefix}.id": node.name}
        if node.exit_code is not None:
            scope[f"{prefix}.exitCode"] = str(node.exit_code)
        if node.type == "TaskGroup":
            # Only children that succeeded, in order of index: after a failure position i is not item i.
            good = [child for child in node.children if child.phase == "Succeeded"]
            for output in {output for child in good for output in child.outputs}:
                scope[f"{prefix}.outputs.parameters.{output}"] = json.dumps(
                    [child.outputs[output] for child in good if output in child.outputs]
                )
        for output, value in node.outputs.items():
            scope[f"{prefix}.outputs.parameters.{output}"] = value
        if node.phase in ("Skipped", "Omitted"):
            template = self.home.resolve(self.tasks[name])[1]
            for declared in (template.get("outputs") or {}).get("parameters") or []:
                default = declared["valueFrom"].get("default")
                scope[f"{prefix}.outputs.parameters.{declared['name']}"] = default if default is None else str(default)
        return scope

    def _free(self) -> bool:
        return self.slots is None or len(self.running) < self.slots

    def _start_items(self, name: str) -> None:
        while self.items[name] and self._free():
            task, display, item, arguments = self.items[name].pop(0)
            try:
                self._start(task, display, item, arguments, self.nodes[name])
            except NodeError as error:
                node = self.nodes[name].child(f"{self.node.name}.{display}", display, "Skipped", "")
                node.end("Error", str(error))

    def _start(
        self, name: str, display: str, task: Mapping[str, Any], arguments: dict[str, str | None], parent: Node
    ) -> None:
        leftovers({k: task.get(k) for k in ("arguments", "when")}, f"{self.template['name']}.{name}")
        full = f"{self.node.name}.{display}"
        when = task.get("when", "true")
        if when not in ("true", "false"):
            raise UnsupportedField(f"{self.template['name']}.{name}.when", f"{when!r} is neither true nor false")
        if when == "false":
            node = parent.child(full, display, "Skipped", self._template_name(name))
            node.end("Skipped", f"when '{when}' evaluated false")
        else:
            home, template = self.home.resolve(self.tasks[name])
            node = parent.child(full, display, "", template["name"])
            node.depth = self.node.depth + 1
            steps = self.workflow.execute(node, template, arguments, home, task_name=name, exit_=self.exit)
            if not _finished(steps):
                self.running.append((node, steps))
        if parent is self.node:
            self.nodes[name] = node

    def _close_group(self, name: str, stopping: bool) -> bool:
        group = self.nodes.get(name)
        if group is None or group.type != "TaskGroup" or group.fulfilled or (self.items[name] and not stopping):
            return False
        if not all(child.fulfilled for child in group.children):
            return False
        bad = [child.phase for child in group.children if child.phase in ("Failed", "Error")]
        group.end(bad[-1] if bad else "Failed" if self.items[name] else "Succeeded")
        return True

    # The end

    def _assess(self) -> str | None:
        """The phase of the whole, or None while it is not known."""
        if any(not node.fulfilled for node in self.nodes.values()):
            return None
        if self.workflow.stopping(self.exit):
            return "Failed"
        needed = {task for logic in self.logic.values() for task in logic.tasks}
        fail_fast = self.template["dag"].get("failFast", True)
        result: str | None = "Succeeded"
        for leaf in sorted(name for name in self.tasks if name not in needed):
            phases = self._phases(leaf)
            if not phases:
                result = None
                if not fail_fast:
                    break
                continue
            bad = [phase for phase in ("Error", "Failed") if phase in phases]
            if bad:
                result = bad[0]
                if fail_fast:
                    break
        return result

    def _phases(self, name: str) -> set[str]:
        """The node's own phase, or, if it did not run, those that reach it from its parents. Empty: not known yet."""
        node = self.nodes.get(name)
        if node is None:
            return set()
        if node.phase in COMPLETED:
            return {node.phase}
        parents = self.logic[name].tasks
        return {phase for parent in parents for phase in self._phases(parent)} if parents else {"Succeeded"}

    def _outputs(self) -> None:
        scope: dict[str, Value] = dict(self.workflow.globals)
        for name in self.nodes:
            scope.update(self._results_scope(name))
        for output in (self.template.get("outputs") or {}).get("parameters") or []:
            source = output["valueFrom"]
            value: Value = None
            try:
                if "expression" in source:
                    value = expressions.evaluate(expressions.parse(source["expression"]), scope)
                elif scope.get(source["parameter"].strip("{} "), "") is not None:
                    value = replace(source["parameter"], scope)
                    leftovers(value, f"{self.template['name']}.outputs.parameters.{output['name']}")
            except (MissingNameError, ExpressionError) as error:
                raise NodeError(f"outputs.parameters.{output['name']}: {error}") from error
            if value is None:
                value = source.get("default")
            if value is None:
                raise NodeError(f"outputs.parameters.{output['name']}: absent and without a default")
            self.node.outputs[output["name"]] = any_string(value)


def _arguments(task: Mapping[str, Any], more: Mapping[str, str | None]) -> dict[str, str | None]:
    parameters = (task.get("arguments") or {}).get("parameters") or []
    return {**more, **{parameter["name"]: any_string(parameter["value"]) for parameter in parameters}}


def _finished(steps: Steps) -> bool:
    try:
        next(steps)
    except StopIteration:
        return True
    return False
