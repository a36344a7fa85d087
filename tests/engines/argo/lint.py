"""The rules of `argo lint` that concern the emitted subset, and some that only a cluster would tell.

Takes documents as plain dicts, all of those that are applied together; gives faults in words, `path: what is wrong`.
Rules: names and their uniqueness; every reference resolves (templates, tasks, parameters, outputs) and every tag is in
scope; arguments are complete; one type for each template and none dead; `depends`, `withSequence`, outputs, resources,
deadlines, parallelism and cron schedules are legal; the JobSet in a resource template passes its own schema with
sample values in place of the tags.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import yaml

from . import depends, expressions
from .errors import UnsupportedField
from .expressions import ExpressionError
from .jobset import check_jobset
from .schemas import validate_jobset
from .substitute import KNOWN_PREFIX, go_quote, strings, tags

Json = Mapping[str, Any]
KINDS = ("container", "dag", "resource", "suspend")
LEAF_ONLY = ("activeDeadlineSeconds", "timeout")
GLOBAL = re.compile(r"workflow\.(name|namespace|uid|serviceAccountName|mainEntrypoint)|node\.name|tasks\.name")
EXIT_ONLY = ("workflow.status", "workflow.failures")
CRON_FIELD = re.compile(r"[\d*/,\-A-Za-z?]+")


def lint(documents: Sequence[Json]) -> list[str]:
    return list(_lint(documents))


def _lint(documents: Sequence[Json]) -> Iterator[str]:
    templates = {d["metadata"]["name"]: d for d in documents if d.get("kind") == "WorkflowTemplate"}
    for document in documents:
        if document.get("kind") == "WorkflowTemplate":
            yield from _Spec(document, templates).faults()
        elif document.get("kind") == "CronWorkflow":
            yield from _cron(document, templates)


def _name(name: object, limit: int, pattern: str, path: str) -> Iterator[str]:
    if not isinstance(name, str) or not re.fullmatch(pattern, name) or len(name) > limit:
        yield f"{path}: name {name!r} must match {pattern} and have at most {limit} characters"


def _unique(names: list[str], path: str) -> Iterator[str]:
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{path}: {name!r} is not unique"


OBJECT_NAME = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
TEMPLATE_NAME = r"[a-zA-Z0-9][-a-zA-Z0-9]*"
PARAMETER_NAME = r"[-a-zA-Z0-9_]+"


def _cron(document: Json, templates: Mapping[str, Json]) -> Iterator[str]:
    name, spec = document["metadata"]["name"], document["spec"]
    path = f"CronWorkflow {name}"
    yield from _name(name, 52, OBJECT_NAME, path)
    if not spec.get("schedules"):
        yield f"{path}: schedules is empty"
    for schedule in spec.get("schedules") or []:
        fields = schedule.split()
        if not (schedule.startswith("@") or (len(fields) == 5 and all(CRON_FIELD.fullmatch(f) for f in fields))):
            yield f"{path}: schedule {schedule!r} cannot be parsed"
    zone = spec.get("timezone")
    if zone is not None and zone not in available_timezones() and not _zone(zone):
        yield f"{path}: unknown timezone {zone!r}"
    if spec.get("concurrencyPolicy", "Allow") not in ("Allow", "Forbid", "Replace"):
        yield f"{path}: unknown concurrencyPolicy {spec['concurrencyPolicy']!r}"
    inner = spec["workflowSpec"]
    if "workflowTemplateRef" in inner:
        if "templates" in inner:
            yield f"{path}: workflowTemplateRef excludes templates"
        wanted = inner["workflowTemplateRef"].get("name")
        if wanted not in templates:
            yield f"{path}: unknown WorkflowTemplate {wanted!r}"
        else:
            declared = templates[wanted]["spec"].get("arguments") or {}
            given = [p["name"] for p in (inner.get("arguments") or {}).get("parameters") or []]
            for parameter in declared.get("parameters") or []:
                if parameter["name"] not in given and not ({"value", "default"} & set(parameter)):
                    yield f"{path}: parameter {parameter['name']!r} has no value"


def _zone(name: str) -> bool:
    try:
        return bool(ZoneInfo(name))
    except (ValueError, OSError, KeyError):
        return False


class _Spec:
    """One WorkflowTemplate."""

    def __init__(self, document: Json, others: Mapping[str, Json]) -> None:
        self.name = document["metadata"]["name"]
        self.path = f"WorkflowTemplate {self.name}"
        self.spec, self.others = document["spec"], others
        self.templates: list[Json] = self.spec.get("templates") or []
        self.by_name = {template.get("name"): template for template in self.templates}
        self.parameters = [p["name"] for p in (self.spec.get("arguments") or {}).get("parameters") or []]
        self.in_exit = self._reachable([self.spec.get("onExit")])
        self.in_main = self._reachable([self.spec.get("entrypoint")])

    def _reachable(self, names: list[Any]) -> set[str]:
        found: set[str] = set()
        while names:
            name = names.pop()
            if name in self.by_name and name not in found:
                found.add(name)
                names += [task.get("template") for task in (self.by_name[name].get("dag") or {}).get("tasks") or []]
        return found

    def faults(self) -> Iterator[str]:
        yield from _name(self.name, 63, OBJECT_NAME, self.path)
        yield from _unique([str(template.get("name")) for template in self.templates], f"{self.path}.templates")
        yield from _unique(self.parameters, f"{self.path}.arguments.parameters")
        for name in self.parameters:
            yield from _name(name, 128, PARAMETER_NAME, f"{self.path}.arguments.parameters")
        for parameter in (self.spec.get("arguments") or {}).get("parameters") or []:
            if "value" in parameter and parameter.get("enum") and parameter["value"] not in parameter["enum"]:
                yield f"{self.path}.arguments.parameters[{parameter['name']}]: value is not in the enum"
        for role in ("entrypoint", "onExit"):
            wanted = self.spec.get(role)
            if wanted is None and role == "onExit":
                continue
            if wanted not in self.by_name:
                yield f"{self.path}.{role}: unknown template {wanted!r}"
            else:
                yield from self._supplied(self.by_name[wanted], self.parameters, f"{self.path}.{role}")
        called_from_elsewhere = {
            task["templateRef"]["template"]
            for other in self.others.values() for template in other["spec"].get("templates") or []
            for task in (template.get("dag") or {}).get("tasks") or []
            if task.get("templateRef", {}).get("name") == self.name
        }  # fmt: skip
        alive = self.in_main | self.in_exit | self._reachable(list(called_from_elsewhere))
        for template in self.templates:
            path = f"{self.path}.templates[{template.get('name')}]"
            if template.get("name") not in alive:
                yield f"{path}: nothing calls it"
            yield from self._template(template, path)

    def _template(self, template: Json, path: str) -> Iterator[str]:
        yield from _name(template.get("name"), 128, TEMPLATE_NAME, path)
        kinds = [kind for kind in KINDS if kind in template]
        if len(kinds) != 1:
            yield f"{path}: must have exactly one type, has {kinds}"
            return
        for direction in ("inputs", "outputs"):
            names = [p["name"] for p in (template.get(direction) or {}).get("parameters") or []]
            yield from _unique(names, f"{path}.{direction}.parameters")
            for name in names:
                yield from _name(name, 128, PARAMETER_NAME, f"{path}.{direction}.parameters")
        yield from self._outputs(template, kinds[0], path)
        if kinds[0] == "dag":
            yield from (f"{path}.{name}: not on a DAG template" for name in LEAF_ONLY if name in template)
            yield from self._dag(template, f"{path}.dag")
        elif "parallelism" in template:
            yield f"{path}.parallelism: not on a leaf template"
        if str(template.get("timeout", "1s")).isdigit():
            yield f"{path}.timeout: needs a unit"
        if kinds[0] == "container":
            yield from self._container(template, path)
        if kinds[0] == "resource":
            declared = (template.get("inputs") or {}).get("parameters") or []
            inputs = {f"inputs.parameters.{p['name']}": sampled(str(p.get("value", p.get("default", "2"))), {})
                      for p in declared}  # fmt: skip
            yield from self._resource(template["resource"], inputs, f"{path}.resource")
        body = {key: value for key, value in template.items() if key != "dag"}
        yield from self._tags(body, self._scope(template), path)

    def _outputs(self, template: Json, kind: str, path: str) -> Iterator[str]:
        wanted = {"container": {"path"}, "dag": {"parameter", "expression"}}.get(kind, set())
        for output in (template.get("outputs") or {}).get("parameters") or []:
            sources = set(output.get("valueFrom") or {}) - {"default"}
            if len(sources) != 1 or not sources <= wanted:
                yield f"{path}.outputs.parameters[{output['name']}]: {sorted(sources)} is not a source of a {kind}"

    # Tags

    def _scope(self, template: Json) -> set[str]:
        scope = {f"workflow.parameters.{name}" for name in self.parameters}
        scope |= {f"inputs.parameters.{p['name']}" for p in (template.get("inputs") or {}).get("parameters") or []}
        for output in (template.get("outputs") or {}).get("parameters") or []:
            if "path" in (output.get("valueFrom") or {}):
                scope.add(f"outputs.parameters.{output['name']}.path")
        if "retryStrategy" in template or "retryStrategy" in (self.spec.get("templateDefaults") or {}):
            scope |= {"retries", *(f"lastRetry.{name}" for name in ("exitCode", "status", "duration", "message"))}
        if "dag" not in template:
            scope.add("pod.name")
        else:
            for task in template["dag"].get("tasks") or []:
                scope |= self._results(task)
        if template.get("name") in self.in_exit - self.in_main:
            scope.update(EXIT_ONLY)
        return scope

    def _results(self, task: Json) -> set[str]:
        prefix = f"tasks.{task['name']}"
        called = self._called(task) or {}
        outputs = [p["name"] for p in (called.get("outputs") or {}).get("parameters") or []]
        return {*(f"{prefix}.outputs.parameters.{name}" for name in outputs), f"{prefix}.status", f"{prefix}.exitCode",
                f"{prefix}.id"}  # fmt: skip

    def _tags(self, document: object, scope: set[str], path: str) -> Iterator[str]:
        for where, text in strings(document, path):
            if any("}}" not in piece for piece in text.split("{{")[1:]):
                yield f"{where}: an opening {{{{ has no end"
                continue
            for tag in tags(text):
                names = [tag.strip()]
                if tag.startswith("="):
                    try:
                        names = [".".join(parts) for parts in expressions.names(expressions.parse(tag[1:]))]
                    except UnsupportedField as error:
                        yield f"{where}: {error.reason}"
                        continue
                for name in names:
                    known = GLOBAL.fullmatch(name) or name in scope
                    if not known and (tag.startswith("=") or KNOWN_PREFIX.match(name) or name == "retries"):
                        yield f"{where}: failed to resolve {{{{{name}}}}}"

    # DAGs

    def _called(self, task: Json) -> Json | None:
        if "templateRef" in task:
            other = self.others.get(task["templateRef"].get("name"), {"spec": {}})
            for template in other["spec"].get("templates") or []:
                if template.get("name") == task["templateRef"].get("template"):
                    return template  # type: ignore[no-any-return]  # documents are Any
            return None
        return self.by_name.get(task.get("template"))

    def _dag(self, template: Json, path: str) -> Iterator[str]:
        tasks = {task["name"]: task for task in template["dag"].get("tasks") or []}
        yield from _unique([task["name"] for task in template["dag"].get("tasks") or []], f"{path}.tasks")
        if not tasks:
            yield f"{path}.tasks: a DAG needs a task"
        logic: dict[str, depends.Depends] = {}
        for name, task in tasks.items():
            where = f"{path}.tasks[{name}]"
            yield from _name(name, 128, TEMPLATE_NAME, where)
            if "depends" in task:
                if name[:1].isdigit():
                    yield f"{where}: a name that starts with a digit cannot be used with depends"
                yield from (f"{where}: {key} excludes depends" for key in ("dependencies", "continueOn") if key in task)
            try:
                logic[name] = depends.parse(task.get("depends") or "none", f"{where}.depends")
            except UnsupportedField as error:
                yield str(error)
                logic[name] = depends.parse("none", where)
            if not task.get("depends"):
                logic[name] = depends.Depends((), (), lambda held: True)
            for needed, result in logic[name].results:
                if needed not in tasks:
                    yield f"{where}.depends: unknown task {needed!r}"
                elif result in depends.FAN_OUT_RESULTS and "withSequence" not in tasks[needed]:
                    yield f"{where}.depends: {result} is for a fan-out, {needed!r} is none"
        for name, task in tasks.items():
            yield from self._task(template, task, tasks, logic, f"{path}.tasks[{name}]")

    def _task(
        self, template: Json, task: Json, tasks: Mapping[str, Json], logic: Mapping[str, depends.Depends], path: str
    ) -> Iterator[str]:
        if ("template" in task) == ("templateRef" in task):
            yield f"{path}: needs one of template and templateRef"
        called = self._called(task)
        if called is None:
            yield f"{path}: unknown template {task.get('template') or task.get('templateRef')!r}"
        else:
            given = [p["name"] for p in (task.get("arguments") or {}).get("parameters") or []]
            yield from self._supplied(called, given, path)
        for parameter in (task.get("arguments") or {}).get("parameters") or []:
            if "value" not in parameter and "valueFrom" not in parameter:
                yield f"{path}.arguments.parameters[{parameter['name']}]: has no value"
        loops = [key for key in ("withItems", "withParam", "withSequence") if key in task]
        if len(loops) > 1:
            yield f"{path}: only one of {loops}"
        if {"count", "end"} <= set(task.get("withSequence") or {}):
            yield f"{path}.withSequence: count excludes end"
        for name, hook in (task.get("hooks") or {}).items():
            if name != "exit" and "expression" not in hook:
                yield f"{path}.hooks.{name}: needs an expression"
        ancestors: set[str] = set()
        waiting = list(logic[task["name"]].tasks)
        while waiting:
            needed = waiting.pop()
            if needed in tasks and needed not in ancestors:
                ancestors.add(needed)
                waiting += logic[needed].tasks
        if task["name"] in ancestors:
            yield f"{path}.depends: a cycle"
        scope = {name for name in self._scope(template) if not name.startswith("tasks.")}
        for ancestor in ancestors:
            scope |= self._results(tasks[ancestor])
        if loops:
            scope.add("item")
        yield from self._tags(task, scope, path)

    def _supplied(self, template: Json, given: list[str], path: str) -> Iterator[str]:
        for parameter in (template.get("inputs") or {}).get("parameters") or []:
            if parameter["name"] not in given and not ({"value", "default"} & set(parameter)):
                yield f"{path}: {template['name']}.inputs.parameters.{parameter['name']} was not supplied"

    # Leaves

    def _container(self, template: Json, path: str) -> Iterator[str]:
        container = template["container"]
        defaults = (self.spec.get("templateDefaults") or {}).get("container") or {}
        if not (container.get("image") or defaults.get("image")):
            yield f"{path}.container: has no image"
        if container.get("name") in ("wait", "supervisor"):
            yield f"{path}.container: the name {container['name']!r} is reserved"
        mounts = container.get("volumeMounts") or []
        yield from _unique([mount["mountPath"] for mount in mounts], f"{path}.container.volumeMounts")
        shared = [*(self.spec.get("volumes") or []), *(template.get("volumes") or []),
                  *((self.spec.get("templateDefaults") or {}).get("volumes") or [])]  # fmt: skip
        for mount in mounts:
            if mount["name"] not in [volume["name"] for volume in shared]:
                yield f"{path}.container.volumeMounts: unknown volume {mount['name']!r}"

    def _resource(self, resource: Json, inputs: Mapping[str, str], path: str) -> Iterator[str]:
        action = resource.get("action")
        if action not in ("get", "create", "apply", "delete", "replace", "patch"):
            yield f"{path}.action: unknown {action!r}"
        if action == "delete":
            for name in ("successCondition", "failureCondition"):
                if name in resource:
                    yield f"{path}.{name}: delete takes no conditions"
            if "manifest" not in resource and not resource.get("flags"):
                yield f"{path}: delete needs a manifest or flags"
        elif ("manifest" in resource) == ("manifestFrom" in resource):
            yield f"{path}: needs one of manifest and manifestFrom"
        if "manifest" in resource:
            try:
                manifest = yaml.safe_load(sampled(resource["manifest"], inputs))
            except yaml.YAMLError as error:
                yield f"{path}.manifest: is not YAML: {str(error).splitlines()[0]}"
                return
            yield from (f"{path}.manifest: {fault}" for fault in validate_jobset(manifest))
            try:
                check_jobset(manifest, f"{path}.manifest")
            except UnsupportedField as error:
                yield str(error)
            except (KeyError, TypeError, AttributeError):
                return  # not even the shape of a JobSet, which the schema has said


def sampled(text: str, inputs: Mapping[str, str]) -> str:
    """The text with a value in place of every tag: an input's own, else "2", with which `asInt(x) - 1` counts a pod."""

    def value(match: re.Match[str]) -> str:
        tag = match[1]
        if not tag.startswith("="):
            return go_quote(inputs.get(tag.strip(), "2"))
        try:
            tree = expressions.parse(tag[1:])
            known = {name: inputs.get(name, "2") for name in map(".".join, expressions.names(tree))}
            result = expressions.evaluate(tree, known)
        except (UnsupportedField, ExpressionError):
            return "2"
        return result if isinstance(result, str) else go_quote(expressions.go_json(result))

    return re.sub(r"\{\{(.*?)\}\}", value, text, flags=re.DOTALL)
