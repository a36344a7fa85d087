"""A running Workflow: templates executed, retried, stopped.

Takes a WorkflowTemplate that `documents.py` has accepted, and parameters; gives phases, nodes and outputs. `tick` is
called by the cluster's loop, again and again, until `done`. Every execution is a generator that is stepped once a tick.

Semantics from Argo: the spec's parameters are global variables; the entry template runs, then `onExit` with
`workflow.status`; `stop` and the flow's deadline kill the pods and still run `onExit`, `terminate` does not run it;
a failed `onExit` fails a workflow that had succeeded. Errors of the engine (`UnsupportedField`) end the workflow and
are raised by `wait`.
"""

from __future__ import annotations

import copy
import json
import re
import time
import traceback
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .dag import Dag
from .errors import NodeError, UnsupportedField
from .expressions import Value
from .nodes import Node, any_string
from .pods import PodSpec
from .resource import run_resource
from .substitute import leftovers, process_arguments, replace, substitute_parameters

if TYPE_CHECKING:
    from .cluster import Cluster

MAX_DEPTH = 100
POD_KINDS = ("container", "resource")
NODE_TYPES = {"container": "Pod", "resource": "Resource", "suspend": "Suspend", "dag": "DAG"}
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DEADLINE_MESSAGE = "Pod was active on the node longer than the specified deadline"


def duration(text: str | int, path: str) -> float:
    """Seconds of `10`, `"10"`, `10s`, `1h30m`."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhd])", str(text))
    if re.fullmatch(r"\d+", str(text)):
        return float(text)
    if not parts or "".join(number + unit for number, unit in parts) != str(text):
        raise UnsupportedField(path, f"{text!r} is not a duration")
    return sum(float(number) * UNITS[unit] for number, unit in parts)


def _merge(defaults: Any, own: Any) -> Any:
    if not isinstance(defaults, dict) or not isinstance(own, dict):
        return own
    return {**defaults, **{k: _merge(defaults[k], v) if k in defaults else v for k, v in own.items()}}


@dataclass(frozen=True, slots=True)
class Templates:
    """The templates of one WorkflowTemplate: names are resolved where they are written."""

    cluster: Cluster
    name: str

    @property
    def spec(self) -> Mapping[str, Any]:
        spec: Mapping[str, Any] = self.cluster.template(self.name)["spec"]
        return spec

    def find(self, name: str) -> Mapping[str, Any]:
        for template in self.spec["templates"]:
            if template["name"] == name:
                return self._with_defaults(template)
        raise NodeError(f"template {name} not found in WorkflowTemplate {self.name}")

    def resolve(self, task: Mapping[str, Any]) -> tuple[Templates, Mapping[str, Any]]:
        if "templateRef" in task:
            home = Templates(self.cluster, task["templateRef"]["name"])
            return home, home.find(task["templateRef"]["template"])
        return self, self.find(task["template"])

    def _with_defaults(self, template: Mapping[str, Any]) -> Mapping[str, Any]:
        defaults = {
            k: v for k, v in (self.spec.get("templateDefaults") or {}).items() if k not in NODE_TYPES or k in template
        }
        merged: Mapping[str, Any] = _merge(defaults, template)
        return merged


class Workflow:
    """Public: `name`, `uid`, `phase`, `message`, `nodes`, `node`, `wait`, `stop`, `terminate`."""

    def __init__(self, cluster: Cluster, template: str, parameters: Mapping[str, str], namespace: str) -> None:
        self.cluster, self.namespace, self.template = cluster, namespace, template
        self.uid = str(uuid.uuid4())
        self.name = f"{template[:57]}-{self.uid[:5]}"
        self.phase, self.message = "Pending", ""
        self.created = time.time()
        self.finished: float | None = None
        self.fault: BaseException | None = None
        self.shutdown = ""
        self.roots: list[Node] = []
        self.leaves = 0  # running containers and resources, which the spec's parallelism bounds
        self._deadline_passed = False
        self._home = Templates(cluster, template)
        spec = copy.deepcopy({k: v for k, v in self._home.spec.items() if k not in ("templates", "templateDefaults")})
        self.arguments = _arguments(spec, parameters)
        self.globals: dict[str, Value] = {
            "workflow.name": self.name,
            "workflow.namespace": namespace,
            "workflow.uid": self.uid,
            "workflow.mainEntrypoint": spec["entrypoint"],
            "workflow.serviceAccountName": spec.get("serviceAccountName", "default"),
            **{f"workflow.parameters.{name}": value for name, value in self.arguments.items()},
        }
        spec["arguments"] = {"parameters": [{"name": n, "value": v} for n, v in self.arguments.items()]}
        self.spec = replace(spec, self.globals)
        deadline = self.spec.get("activeDeadlineSeconds")
        self.deadline = None if deadline is None else self.created + float(deadline) * cluster.deadline_scale
        self.slots = self.spec.get("parallelism")
        self._steps = self._main()

    # For tests

    @property
    def done(self) -> bool:
        return self.phase in ("Succeeded", "Failed", "Error")

    @property
    def nodes(self) -> list[Node]:
        """Every node, parents before children."""
        with self.cluster.lock:
            return [node for root in self.roots for node in root.walk()]

    def node(self, display_name: str) -> Node:
        """The one node with this display name."""
        found = [node for node in self.nodes if node.display_name == display_name]
        if len(found) != 1:
            raise LookupError(f"{len(found)} nodes are called {display_name!r}\n{self.describe()}")
        return found[0]

    def wait(self, timeout: float = 60) -> str:
        """The phase at the end. Raises what the engine could not do, or TimeoutError with the state of all nodes."""
        end = time.time() + timeout
        while not self.done:
            if time.time() > end:
                raise TimeoutError(f"workflow {self.name} is {self.phase} after {timeout} s\n{self.describe()}")
            time.sleep(0.005)
        if self.fault is not None:
            self.cluster.fault = None  # shown here, so `close` need not raise it again
            raise self.fault
        return self.phase

    def stop(self) -> None:
        """`argo stop`: the pods are killed, `onExit` runs."""
        with self.cluster.lock:
            self.shutdown = self.shutdown or "Stop"

    def terminate(self) -> None:
        """`argo terminate`: the pods are killed, `onExit` does not run."""
        with self.cluster.lock:
            self.shutdown = "Terminate"

    def describe(self) -> str:
        """The nodes as lines of text, with the last lines of the logs of failed pods."""
        lines = [f"{self.name}: {self.phase} {self.message}"]
        for node in self.nodes:
            lines.append(f"{'  ' * (node.depth + 1)}{node.display_name} [{node.type}] {node.phase} {node.message}")
            for pod in [*node.pods, *(node.jobset.pods if node.jobset else [])]:
                state = f"{pod.phase} exit={pod.exit_code} {pod.reason}"
                lines.append(f"{'  ' * (node.depth + 2)}{pod.name} {state}")
                if pod.phase == "Failed":
                    lines += ["    | " + line for line in pod.logs().splitlines()[-12:]]
        return "\n".join(lines)

    # For the cluster's loop

    def tick(self) -> None:
        if self.deadline is not None and time.time() >= self.deadline:
            self._deadline_passed = True
        try:
            next(self._steps)
        except StopIteration:
            pass
        except Exception as error:
            error.add_note(f"workflow {self.name}\n{traceback.format_exc()}")
            self.fault = error
            self._end("Error", str(error))

    def _end(self, phase: str, message: str) -> None:
        self.message, self.finished = message, time.time()
        self.phase = phase  # last: `wait` looks at it without the lock

    def _main(self) -> Iterator[None]:
        self.phase = "Running"
        root = self._root(self.name, self.spec["entrypoint"])
        yield from self._execute_named(root, self.spec["entrypoint"], exit_=False)
        phase, message = root.phase, root.message
        if stopped := self.stop_message(False):
            phase, message = "Failed", stopped
        if "onExit" in self.spec and self.shutdown != "Terminate":
            failures = [n for n in root.walk() if n.phase in ("Failed", "Error")]
            self.globals["workflow.status"] = phase
            self.globals["workflow.failures"] = json.dumps(json.dumps([_failure(node) for node in failures]))
            leaving = self._root(f"{self.name}.onExit", self.spec["onExit"])
            yield from self._execute_named(leaving, self.spec["onExit"], exit_=True)
            if phase == "Succeeded" and leaving.phase != "Succeeded":
                phase, message = leaving.phase, leaving.message
        self._end(phase, message)

    def _root(self, name: str, template: str) -> Node:
        self.roots.append(Node(name, name, "", template))
        return self.roots[-1]

    def _execute_named(self, node: Node, name: str, *, exit_: bool) -> Iterator[None]:
        try:
            template = self._home.find(name)
        except NodeError as error:
            node.end("Error", str(error))
            return
        parameters = {p["name"]: str(p["value"]) for p in self.spec["arguments"]["parameters"]}
        yield from self.execute(node, template, parameters, self._home, task_name=None, exit_=exit_)

    # What stops a node

    def stopping(self, exit_: bool) -> bool:
        return bool(self.stop_message(exit_))

    def stop_message(self, exit_: bool) -> str:
        """Why a node has to end; nodes of the exit handler only end with `terminate`."""
        if self.shutdown == "Terminate" or (self.shutdown and not exit_):
            return f"workflow shutdown with strategy:  {self.shutdown}"
        if self._deadline_passed and not exit_:
            return "Step exceeded its deadline"
        return ""

    def leaf_deadline(self, template: Mapping[str, Any]) -> float | None:
        limits = []
        if "activeDeadlineSeconds" in template:
            limits.append(float(template["activeDeadlineSeconds"]))
        if "timeout" in template:
            if str(template["timeout"]).isdigit():
                raise UnsupportedField(f"template {template['name']}.timeout", "Argo wants a unit")
            limits.append(duration(template["timeout"], f"template {template['name']}.timeout"))
        return time.time() + min(limits) * self.cluster.deadline_scale if limits else None

    # Executing one template

    def execute(
        self, node: Node, template: Mapping[str, Any], arguments: Mapping[str, str | None], home: Templates, *,
        task_name: str | None, exit_: bool,
    ) -> Iterator[None]:  # fmt: skip
        try:
            yield from self._execute(node, template, arguments, home, task_name, exit_)
        except NodeError as error:
            node.end("Error", str(error))

    def _execute(
        self, node: Node, template: Mapping[str, Any], arguments: Mapping[str, str | None], home: Templates,
        task_name: str | None, exit_: bool,
    ) -> Iterator[None]:  # fmt: skip
        kind = next(kind for kind in NODE_TYPES if kind in template)
        node.type = NODE_TYPES[kind]
        if node.depth + 1 >= MAX_DEPTH:  # the entry template is at depth 1
            raise NodeError(
                "Maximum recursion depth exceeded. See https://argo-workflows.readthedocs.io/en/latest/"
                "scaling/#maximum-recursion-depth"
            )
        local: dict[str, Value] = {"node.name": node.name}
        if task_name is not None:
            local["tasks.name"] = task_name
        if kind in POD_KINDS and "retryStrategy" not in template:
            local["pod.name"] = self._pod_name(node.name, template["name"])
        processed = process_arguments(template, arguments, {**self.globals, **local})
        node.inputs = {p["name"]: p["value"] for p in (processed.get("inputs") or {}).get("parameters") or []}
        if "retryStrategy" in processed:
            yield from self._retry(node, processed, kind, home, exit_)
        else:
            yield from self._run(node, processed, kind, home, exit_)

    def _run(self, node: Node, template: Mapping[str, Any], kind: str, home: Templates, exit_: bool) -> Iterator[None]:
        if kind in POD_KINDS:
            while self.slots is not None and self.leaves >= int(self.slots) and not self.stopping(exit_):
                yield
        if stopped := self.stop_message(exit_):
            node.end("Failed", stopped)
        elif kind == "dag":
            yield from Dag(self, node, template, home, exit_).run()
        elif kind == "suspend":
            yield from self._suspend(node, template, exit_)
        else:
            leftovers(template[kind], f"template {template['name']}.{kind}")
            self.leaves += 1
            try:
                body = run_resource(self, node, template, exit_) if kind == "resource" else None
                yield from body or self._container(node, template, exit_)
            finally:
                self.leaves -= 1

    def _suspend(self, node: Node, template: Mapping[str, Any], exit_: bool) -> Iterator[None]:
        path = f"template {template['name']}.suspend.duration"
        end = time.time() + duration(template["suspend"]["duration"], path) * self.cluster.clock_scale
        while time.time() < end:
            if stopped := self.stop_message(exit_):
                node.end("Failed", stopped)
                return
            yield
        node.end("Succeeded")

    def _retry(
        self, node: Node, template: Mapping[str, Any], kind: str, home: Templates, exit_: bool
    ) -> Iterator[None]:
        node.type = "Retry"
        strategy = template["retryStrategy"]
        path = f"template {template['name']}.retryStrategy"
        policy = strategy.get("retryPolicy", "OnFailure")
        retried = {"Always": ("Failed", "Error"), "OnFailure": ("Failed",), "OnError": ("Error",)}[policy]
        for attempt in range(int(strategy["limit"]) + 1):
            child = node.child(
                f"{node.name}({attempt})", f"{node.display_name}({attempt})", NODE_TYPES[kind], template["name"]
            )
            child.depth = node.depth
            last = node.children[-2] if attempt else None
            local: dict[str, Value] = {
                "retries": str(attempt),
                "pod.name": self._pod_name(child.name, template["name"]),
                "lastRetry.exitCode": str((last.exit_code if last else None) or 0),
                "lastRetry.status": last.phase if last else "",
                "lastRetry.duration": f"{(last.finished or 0) - last.started:.6f}" if last else "0",
                "lastRetry.message": last.message if last else "",
            }
            try:
                # Argo substitutes again, over a text that by now holds every value of the first time.
                filled = substitute_parameters(template, {**self.globals, **local})
                yield from self._run(child, filled, kind, home, exit_)
            except NodeError as error:
                child.end("Error", str(error))
            if child.phase == "Succeeded":
                node.outputs, node.exit_code, node.jobset = child.outputs, child.exit_code, child.jobset
                node.end("Succeeded")
                return
            node.exit_code, node.outputs = child.exit_code, child.outputs
            if self.stopping(exit_) or child.phase not in retried:
                node.end(child.phase, child.message)
                return
            if attempt < int(strategy["limit"]):
                wait = self._backoff(strategy.get("backoff") or {}, attempt, node.started, path)
                if wait is None:
                    node.end(child.phase, "Max duration limit exceeded")
                    return
                end = time.time() + wait
                while time.time() < end and not self.stopping(exit_):
                    yield
                if stopped := self.stop_message(exit_):
                    node.end(child.phase, stopped)
                    return
        node.end(node.children[-1].phase, f"No more retries left: {node.children[-1].message}")

    def _backoff(self, backoff: Mapping[str, Any], attempt: int, since: float, path: str) -> float | None:
        """Seconds to wait before the next attempt, on this machine's clock; None when `maxDuration` is over."""
        wait = duration(backoff.get("duration", "0"), f"{path}.backoff.duration")
        wait *= float(backoff.get("factor", 1)) ** attempt
        if "cap" in backoff:
            wait = min(wait, duration(backoff["cap"], f"{path}.backoff.cap"))
        wait *= self.cluster.clock_scale
        if "maxDuration" in backoff:
            longest = duration(backoff["maxDuration"], f"{path}.backoff.maxDuration") * self.cluster.clock_scale
            if time.time() - since + wait > longest:
                return None
        return wait

    def _pod_name(self, node: str, template: str) -> str:
        code = 2166136261  # FNV-1a of the node's name, 32 bits
        for byte in node.encode():
            code = ((code ^ byte) * 16777619) & 0xFFFFFFFF
        return f"{self.name}-{template}-{code}"

    def _container(self, node: Node, template: Mapping[str, Any], exit_: bool) -> Iterator[None]:
        outputs = (template.get("outputs") or {}).get("parameters") or []
        shared = self.spec.get("podMetadata") or {}
        own = template.get("metadata") or {}
        container = {"name": "main", **template["container"]}
        pod = self.cluster.create_pod(PodSpec(
            name=self._pod_name(node.name, template["name"]),
            namespace=self.namespace,
            owner=f"Workflow {self.name}",
            labels={**(shared.get("labels") or {}), **(own.get("labels") or {}),
                    "workflows.argoproj.io/workflow": self.name, "workflows.argoproj.io/completed": "false"},
            annotations={**(shared.get("annotations") or {}), **(own.get("annotations") or {}),
                         "workflows.argoproj.io/node-name": node.name},
            spec={"containers": [container], "restartPolicy": "Never",
                  "volumes": [*self.spec.get("volumes", []), *template.get("volumes", [])]},
            path=f"template {template['name']}",
            output_paths=tuple(output["valueFrom"]["path"] for output in outputs),
        ))  # fmt: skip
        node.pods.append(pod)
        deadline = self.leaf_deadline(template)
        message = ""
        while not pod.done:
            if deadline is not None and time.time() >= deadline:
                message = message or DEADLINE_MESSAGE
            message = message or self.stop_message(exit_)
            if message:
                self.cluster.stop_pod(pod)
            yield
        node.exit_code = pod.exit_code
        if message:
            node.end("Failed", message)
        elif pod.deleted:
            node.end("Error", "pod deleted")
        elif pod.phase == "Failed":
            node.end("Failed", pod.reason or f"Error (exit code {pod.exit_code})")
        for output in outputs:
            value = pod.output(output["valueFrom"]["path"])
            if value is None and "default" in output["valueFrom"]:
                value = any_string(output["valueFrom"]["default"])
            if value is not None:
                node.outputs[output["name"]] = value
            elif not node.fulfilled:
                path = output["valueFrom"]["path"]
                raise NodeError(f"open {path}: no such file (outputs.parameters.{output['name']})")
        if not node.fulfilled:
            node.end("Succeeded")


def _failure(node: Node) -> dict[str, str]:
    return {"displayName": node.display_name, "message": node.message, "templateName": node.template,
            "phase": node.phase, "podName": node.pods[-1].name if node.pods else ""}  # fmt: skip


def _arguments(spec: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, str]:
    """The workflow's parameters: the submitted value, else `value`, else `default`."""
    declared = {p["name"]: p for p in (spec.get("arguments") or {}).get("parameters") or []}
    for name, value in parameters.items():
        if not isinstance(value, str):
            raise TypeError(f"parameter {name}: {value!r} is not a string")
        if name not in declared:
            raise UnsupportedField(f"spec.arguments.parameters[{name}]", "submitted, but not declared")
    found = {}
    for name, parameter in declared.items():
        value = parameters.get(name, parameter.get("value", parameter.get("default")))
        if value is None:
            raise UnsupportedField(f"spec.arguments.parameters[{name}]", "spec.arguments.missing: has no value")
        found[name] = any_string(value)
        if parameter.get("enum") and found[name] not in [any_string(option) for option in parameter["enum"]]:
            raise UnsupportedField(f"spec.arguments.parameters[{name}]", f"{found[name]!r} is not in the enum")
    return found
