"""Which documents, and which of their fields, the engine knows.

Takes text; gives plain dicts. YAML is read as Kubernetes reads it, which is YAML 1.1 with more numbers and booleans
than PyYAML sees: `y`, `on`, `1e-4` and `08` do not come out as strings. A duplicate key is refused.

Every object kind has an allow-list: fields the engine acts on, and fields it knows to have no effect here (security,
scheduling, garbage collection). Anything else is `UnsupportedField` with the path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from . import expressions
from .errors import InvalidDocumentError, UnsupportedField
from .substitute import check_tags

# kind -> (fields acted on, fields known to have no effect on processes of this machine)
FIELDS: Mapping[str, tuple[str, str]] = {
    "document": ("apiVersion kind metadata spec", ""),
    "metadata": ("name generateName namespace labels annotations", ""),
    "workflow spec": (
        (
            "entrypoint arguments templates onExit activeDeadlineSeconds parallelism templateDefaults "
            "serviceAccountName volumes podMetadata"
        ),
        (
            "podGC ttlStrategy securityContext automountServiceAccountToken executor archiveLogs priority "
            "tolerations podPriorityClassName nodeSelector affinity imagePullSecrets schedulerName "
            "workflowMetadata podDisruptionBudget"
        ),
    ),
    "arguments": ("parameters", ""),
    "workflow parameter": ("name value default enum description", ""),
    "inputs": ("parameters", ""),
    "input parameter": ("name value default enum description", ""),
    "outputs": ("parameters", ""),
    "output parameter": ("name valueFrom description", ""),
    "valueFrom": ("path default parameter expression", ""),
    "argument": ("name value", ""),
    "template": (
        (
            "name inputs outputs container dag resource suspend retryStrategy activeDeadlineSeconds timeout "
            "parallelism metadata volumes serviceAccountName failFast"
        ),
        (
            "securityContext automountServiceAccountToken executor affinity nodeSelector tolerations "
            "priorityClassName schedulerName archiveLocation hostAliases"
        ),
    ),
    "template metadata": ("labels annotations", ""),
    "retryStrategy": ("limit retryPolicy backoff", "affinity"),
    "backoff": ("duration factor cap maxDuration", ""),
    "dag": ("tasks failFast", ""),
    "task": ("name template templateRef arguments depends when withSequence", ""),
    "templateRef": ("name template", ""),
    "withSequence": ("count", ""),
    "suspend": ("duration", ""),
    "resource": ("action manifest setOwnerReference successCondition failureCondition flags", ""),
    "container": (
        "name image command args env workingDir volumeMounts",
        (
            "imagePullPolicy resources securityContext ports terminationMessagePath terminationMessagePolicy "
            "readinessProbe"
        ),
    ),
    "env": ("name value valueFrom", ""),
    "env valueFrom": ("fieldRef secretKeyRef configMapKeyRef", ""),
    "fieldRef": ("fieldPath", "apiVersion"),
    "secretKeyRef": ("name key", ""),
    "configMapKeyRef": ("name key", ""),
    "volumeMount": ("name mountPath", "readOnly"),
    "volume": ("name emptyDir", ""),
    "emptyDir": ("", "medium sizeLimit"),
    "pod spec": (
        "containers volumes restartPolicy terminationGracePeriodSeconds serviceAccountName subdomain",
        (
            "securityContext automountServiceAccountToken enableServiceLinks affinity nodeSelector tolerations "
            "hostname priorityClassName schedulerName imagePullSecrets topologySpreadConstraints "
            "setHostnameAsFQDN hostIPC"
        ),
    ),
    "cron spec": (
        "schedules timezone workflowSpec",
        (
            "concurrencyPolicy startingDeadlineSeconds successfulJobsHistoryLimit failedJobsHistoryLimit suspend "
            "workflowMetadata"
        ),
    ),
    "cron workflowSpec": ("workflowTemplateRef arguments", ""),
}
TEMPLATE_KINDS = ("container", "dag", "resource", "suspend")
ACCESS_KINDS = ("ServiceAccount", "Role", "RoleBinding")
KINDS = ("WorkflowTemplate", "CronWorkflow", *ACCESS_KINDS)


class KubernetesLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml if it is there
    """YAML as the API server reads it."""


KubernetesLoader.yaml_implicit_resolvers = {k: list(v) for k, v in yaml.SafeLoader.yaml_implicit_resolvers.items()}
KubernetesLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:y|Y|n|N)$"), list("yYnN"))
KubernetesLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?$"), list("-+.0123456789")
)


def _bool(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> bool:
    return str(node.value).lower() in ("y", "yes", "true", "on")


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    loader.flatten_mapping(node)
    found: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in found:
            raise InvalidDocumentError([f"line {key_node.start_mark.line + 1}: duplicate key {key!r}"])
        found[key] = loader.construct_object(value_node, deep=True)
    return found


KubernetesLoader.add_constructor("tag:yaml.org,2002:bool", _bool)
KubernetesLoader.add_constructor("tag:yaml.org,2002:map", _mapping)


def load(text: str) -> list[dict[str, Any]]:
    """The documents of a YAML or JSON stream."""
    found = []
    for index, document in enumerate(yaml.load_all(text, KubernetesLoader)):
        if document is None:
            continue
        if not isinstance(document, dict) or document.get("kind") not in KINDS:
            kind = document.get("kind") if isinstance(document, dict) else type(document).__name__
            raise UnsupportedField(f"document {index}", f"unknown kind {kind!r}")
        found.append(document)
    return found


def check(value: object, kind: str, path: str) -> dict[str, Any]:
    """The fields of one object against its allow-list."""
    if not isinstance(value, dict):
        raise UnsupportedField(path, f"is not an object but {value!r}")
    acted, ignored = FIELDS[kind]
    for name in value:
        if name not in acted.split() and name not in ignored.split():
            raise UnsupportedField(f"{path}.{name}", f"unknown field of {kind}")
    return value


def check_list(value: object, kind: str, path: str, key: str = "name") -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise UnsupportedField(path, f"is not a list but {value!r}")
    return [
        check(item, kind, f"{path}[{item.get(key, i) if isinstance(item, dict) else i}]")
        for i, item in enumerate(value)
    ]


def check_container(container: dict[str, Any], path: str) -> None:
    check(container, "container", path)
    # Without an explicit command the controller has to ask the registry for the image's entrypoint.
    if not container.get("command"):
        raise UnsupportedField(f"{path}.command", "must be explicit")
    for word in [*container["command"], *container.get("args", [])]:
        if not isinstance(word, str):
            raise UnsupportedField(path, f"{word!r} in command or args is not a string")
    for entry in check_list(container.get("env", []), "env", f"{path}.env"):
        where = f"{path}.env[{entry['name']}]"
        if not isinstance(entry.get("value", ""), str):
            raise UnsupportedField(where, f"{entry['value']!r} is not a string")
        if "valueFrom" in entry:
            source = check(entry["valueFrom"], "env valueFrom", f"{where}.valueFrom")
            for name in source:
                check(source[name], name, f"{where}.valueFrom.{name}")
    check_list(container.get("volumeMounts", []), "volumeMount", f"{path}.volumeMounts")


def check_volumes(volumes: object, path: str) -> None:
    for volume in check_list(volumes, "volume", path):
        check(volume.get("emptyDir"), "emptyDir", f"{path}[{volume['name']}].emptyDir")


def check_pod(spec: Mapping[str, Any], path: str) -> None:
    check(dict(spec), "pod spec", path)
    if len(spec["containers"]) != 1:
        raise UnsupportedField(f"{path}.containers", "a pod of this engine has one container")
    check_container(spec["containers"][0], f"{path}.containers[0]")
    check_volumes(spec.get("volumes", []), f"{path}.volumes")


def check_template(template: dict[str, Any], path: str) -> None:
    check(template, "template", path)
    kinds = [kind for kind in TEMPLATE_KINDS if kind in template]
    if len(kinds) != 1:
        raise UnsupportedField(path, f"a template has exactly one of {', '.join(TEMPLATE_KINDS)}, not {kinds}")
    inputs = check(template.get("inputs") or {}, "inputs", f"{path}.inputs")
    check_list(inputs.get("parameters") or [], "input parameter", f"{path}.inputs.parameters")
    outputs = check(template.get("outputs") or {}, "outputs", f"{path}.outputs")
    for output in check_list(outputs.get("parameters") or [], "output parameter", f"{path}.outputs.parameters"):
        source = check(output.get("valueFrom"), "valueFrom", f"{path}.outputs.parameters[{output['name']}].valueFrom")
        wanted = {"container": ("path",), "dag": ("parameter", "expression")}.get(kinds[0], ())
        if "expression" in source:
            expressions.parse(source["expression"])
        if len([w for w in wanted if w in source]) != 1 or set(source) - {*wanted, "default"}:
            raise UnsupportedField(
                f"{path}.outputs.parameters[{output['name']}]", f"a {kinds[0]} template has one of valueFrom {wanted}"
            )
    if "metadata" in template:
        check(template["metadata"], "template metadata", f"{path}.metadata")
    check_volumes(template.get("volumes", []), f"{path}.volumes")
    if "retryStrategy" in template:
        check_retry(template["retryStrategy"], f"{path}.retryStrategy")
    check_limits(template, kinds[0], path)
    match kinds[0]:
        case "container":
            check_container(template["container"], f"{path}.container")
        case "dag":
            check_dag(template["dag"], f"{path}.dag")
        case "resource":
            check_resource(template["resource"], f"{path}.resource")
        case "suspend":
            check(template["suspend"], "suspend", f"{path}.suspend")
            if "duration" not in template["suspend"]:
                raise UnsupportedField(f"{path}.suspend", "waits for a person; only a duration is known")


def check_limits(template: dict[str, Any], kind: str, path: str) -> None:
    if kind == "dag":
        for name in ("activeDeadlineSeconds", "timeout"):
            if name in template:
                raise UnsupportedField(f"{path}.{name}", "Argo refuses it on a DAG template")
    elif "parallelism" in template:
        raise UnsupportedField(f"{path}.parallelism", "Argo refuses it on a leaf template")
    if template.get("failFast"):
        raise UnsupportedField(f"{path}.failFast", "the template's own failFast is not known")


def check_retry(retry: object, path: str) -> None:
    strategy = check(retry, "retryStrategy", path)
    if "limit" not in strategy:
        raise UnsupportedField(f"{path}.limit", "without it Argo retries for ever and ignores the backoff")
    if strategy.get("retryPolicy", "OnFailure") not in ("Always", "OnFailure", "OnError"):
        raise UnsupportedField(f"{path}.retryPolicy", f"unknown policy {strategy['retryPolicy']!r}")
    if "backoff" in strategy:
        check(strategy["backoff"], "backoff", f"{path}.backoff")


def check_dag(dag: object, path: str) -> None:
    tasks = check_list(check(dag, "dag", path).get("tasks") or [], "task", f"{path}.tasks")
    if not tasks:
        raise UnsupportedField(f"{path}.tasks", "a DAG needs a task")
    for task in tasks:
        where = f"{path}.tasks[{task['name']}]"
        if ("template" in task) == ("templateRef" in task):
            raise UnsupportedField(where, "needs one of template, templateRef")
        arguments = check(task.get("arguments") or {}, "arguments", f"{where}.arguments")
        for argument in check_list(arguments.get("parameters") or [], "argument", f"{where}.arguments.parameters"):
            if "value" not in argument:
                raise UnsupportedField(f"{where}.arguments.parameters[{argument['name']}]", "has no value")
        if "templateRef" in task:
            check(task["templateRef"], "templateRef", f"{where}.templateRef")
        if "withSequence" in task:
            check(task["withSequence"], "withSequence", f"{where}.withSequence")


def check_resource(resource: object, path: str) -> None:
    fields = check(resource, "resource", path)
    known = {
        "create": {"action", "manifest", "setOwnerReference", "successCondition", "failureCondition"},
        "delete": {"action", "flags"},
    }
    if fields.get("action") not in known:
        raise UnsupportedField(f"{path}.action", f"unknown action {fields.get('action')!r}")
    for name in fields:
        if name not in known[fields["action"]]:
            raise UnsupportedField(f"{path}.{name}", f"not known with action {fields['action']}")


def check_workflow_template(document: dict[str, Any]) -> None:
    name = document.get("metadata", {}).get("name", "?")
    path = f"WorkflowTemplate {name}"
    check(document, "document", path)
    check(document["metadata"], "metadata", f"{path}.metadata")
    spec = check(document["spec"], "workflow spec", f"{path}.spec")
    arguments = check(spec.get("arguments") or {}, "arguments", f"{path}.spec.arguments")
    check_list(arguments.get("parameters") or [], "workflow parameter", f"{path}.spec.arguments.parameters")
    check_volumes(spec.get("volumes", []), f"{path}.spec.volumes")
    check_tags({k: v for k, v in spec.items() if k != "templates"}, f"{path}.spec")
    if "templateDefaults" in spec:
        check(spec["templateDefaults"], "template", f"{path}.spec.templateDefaults")
    if "podMetadata" in spec:
        check(spec["podMetadata"], "template metadata", f"{path}.spec.podMetadata")
    for template in spec.get("templates") or []:
        where = f"{path}.templates[{template.get('name', '?')}]"
        check_template(template, where)
        check_tags(template, where)


def check_cron(document: dict[str, Any]) -> None:
    path = f"CronWorkflow {document.get('metadata', {}).get('name', '?')}"
    check(document, "document", path)
    spec = check(document["spec"], "cron spec", f"{path}.spec")
    check(spec["workflowSpec"], "cron workflowSpec", f"{path}.spec.workflowSpec")
