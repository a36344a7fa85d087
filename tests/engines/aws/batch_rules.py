"""What Batch accepts: the checks that RegisterJobDefinition and SubmitJob make before anything runs.

Takes request bodies as botocore sends them (camel case) and gives nothing, or for a definition and a request the
per-node containers that result. Refuses, as `BatchError` with the code and status that Batch answers with: members
that no shape of botocore's service model has, values outside an enumeration, names, sizes and counts beyond Batch's
documented limits, node ranges that leave a node uncovered, overrides whose range is not textually one of the
definition's. Where AWS documents nothing it takes the stricter reading, so that what passes here does not lean on luck.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape
from botocore.validate import ParamValidator

Json = dict[str, Any]

MAX_DEFINITION_BYTES = 24 * 1024  # Batch service quotas
MAX_SUBMIT_BYTES = 30 * 1024  # Batch service quotas: "Job size must be less than 30 KiB"
MAX_OVERRIDES_CHARACTERS = 8192  # ECS RunTask, container overrides
MAX_NODES = 1000  # Batch user guide: default limit of an ECS cluster
MAX_NODE_GROUPS = 5  # Batch user guide
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")  # botocore: jobName, jobDefinitionName
_RANGE = re.compile(r"(\d*):(\d*)|(\d+)")
_PLACEHOLDER = re.compile(r"Ref::([A-Za-z0-9_-]+)")


class BatchError(Exception):
    """An error answer of Batch: `code` as in `x-amzn-errortype`, HTTP `status`."""

    def __init__(self, message: str, code: str = "ClientException", status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


@functools.cache
def service_model(service: str = "batch") -> ServiceModel:
    """botocore's own model of a service, without a client."""
    model: ServiceModel = botocore.session.get_session().get_service_model(service)
    return model


def shape_faults(service: str, operation: str, params: Any) -> list[str]:
    """Faults of `params` against the input shape: unknown members, wrong types, values outside an enumeration."""
    shape = service_model(service).operation_model(operation).input_shape
    if shape is None:
        return [] if not params else [f"{operation} takes no parameters"]
    report = ParamValidator().validate(params, shape).generate_report()
    faults = [line for line in report.splitlines() if line]
    return faults or list(_enum_faults(params, shape, "$"))


def _enum_faults(value: object, shape: Shape, path: str) -> Iterator[str]:
    """botocore's validator does not look at enumerations; the service does."""
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        for name, member in shape.members.items():
            if name in value:
                yield from _enum_faults(value[name], member, f"{path}.{name}")
    elif isinstance(shape, ListShape) and isinstance(value, Sequence):
        for index, item in enumerate(value):
            yield from _enum_faults(item, shape.member, f"{path}[{index}]")
    elif isinstance(shape, MapShape) and isinstance(value, Mapping):
        for key, item in value.items():
            yield from _enum_faults(item, shape.value, f"{path}.{key}")
    elif isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
        yield f"{path}: {value!r} is none of {', '.join(shape.enum)}"


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise BatchError(message)


def check_shape(operation: str, request: Json) -> None:
    faults = shape_faults("batch", operation, request)
    _require(not faults, f"Error executing request, Exception : {'; '.join(faults)}")


def check_definition(request: Json) -> None:
    """RegisterJobDefinition."""
    check_shape("RegisterJobDefinition", request)
    size = len(json.dumps(request, separators=(",", ":")).encode())
    _require(size <= MAX_DEFINITION_BYTES, f"Job definition size must be at most 24 KiB, got {size} bytes")
    name = request["jobDefinitionName"]
    _require(_NAME.fullmatch(name) is not None, f"Job definition name {name!r} is not valid")
    for unsupported in ("eksProperties", "ecsProperties", "consumableResourceProperties"):
        _require(unsupported not in request, f"test engine: {unsupported} is not simulated")
    _check_retry(request.get("retryStrategy"))
    _check_timeout(request.get("timeout"))
    _require(len(request.get("tags", {})) <= 50, "at most 50 tags")
    fargate = "FARGATE" in request.get("platformCapabilities", ())
    if request["type"] == "container":
        _require("nodeProperties" not in request, "nodeProperties is not valid for a container job definition")
        _require("containerProperties" in request, "Container properties should not be empty.")
        _check_container(request["containerProperties"], fargate)
    else:
        _require(not fargate, "multi-node parallel jobs do not run on Fargate")
        _require("containerProperties" not in request, "containerProperties is not valid for multinode definitions")
        _require("nodeProperties" in request, "Node properties should not be empty.")
        _check_nodes(request["nodeProperties"])


def _check_container(container: Json, fargate: bool) -> None:
    _require(bool(container.get("image")), "Container image should not be empty.")
    kinds = [requirement["type"] for requirement in container.get("resourceRequirements", ())]
    _require(len(kinds) == len(set(kinds)), "a resource requirement appears twice")
    for kind in ("VCPU", "MEMORY"):
        _require(kind in kinds, f"{kind} must be in resourceRequirements (vcpus and memory are deprecated)")
    for requirement in container.get("resourceRequirements", ()):
        number = r"\d*\.?\d+" if requirement["type"] == "VCPU" and fargate else r"[1-9]\d*"
        _require(re.fullmatch(number, requirement["value"]) is not None, f"bad resource requirement {requirement}")
    _check_environment(container.get("environment", ()))
    secrets = [secret["name"] for secret in container.get("secrets", ())]
    _require(len(secrets) == len(set(secrets)), "a secret name appears twice")
    names = {entry.get("name") for entry in container.get("environment", ())}
    _require(not names & set(secrets), "The secret name must be unique and not shared with any environment variable")


def _check_environment(environment: Sequence[Json]) -> None:
    names = [entry.get("name", "") for entry in environment]
    for name in names:
        _require(bool(name), "an environment variable without a name")
        _require(not name.startswith("AWS_BATCH"), f"Environment variables cannot start with AWS_BATCH: {name}")
    _require(len(names) == len(set(names)), "an environment variable appears twice")


def _check_retry(strategy: Json | None) -> None:
    if strategy is None:
        return
    attempts = strategy.get("attempts", 1)
    _require(1 <= attempts <= 10, f"retryStrategy.attempts must be 1 to 10, got {attempts}")
    rules = strategy.get("evaluateOnExit", ())
    _require(len(rules) <= 5, "at most 5 evaluateOnExit rules")
    _require(not rules or "attempts" in strategy, "evaluateOnExit needs attempts")
    for rule in rules:
        _require(set(rule) - {"action"} != set(), "an evaluateOnExit rule without a condition")
        for key in set(rule) - {"action"}:
            pattern = rule[key]
            allowed = r"[0-9]*\*?" if key == "onExitCode" else r"[A-Za-z0-9.:\s]*\*?"  # botocore's text
            _require(len(pattern) <= 512 and re.fullmatch(allowed, pattern) is not None, f"bad {key} {pattern!r}")


def _check_timeout(timeout: Json | None) -> None:
    if timeout is not None:
        seconds = timeout.get("attemptDurationSeconds", 0)
        _require(seconds >= 60, f"timeout.attemptDurationSeconds must be at least 60, got {seconds}")


def node_range(text: str, num_nodes: int) -> range:
    """`0:3`, `:n`, `n:` or one index, as the node indices it means in a gang of `num_nodes`."""
    match = _RANGE.fullmatch(text)
    _require(match is not None and text != ":", f"bad targetNodes {text!r}")
    assert match is not None
    if match[3] is not None:
        return range(int(match[3]), int(match[3]) + 1)
    return range(int(match[1] or 0), int(match[2] or num_nodes - 1) + 1)


def _check_nodes(properties: Json) -> None:
    count, main = properties["numNodes"], properties["mainNode"]
    _require(1 <= count <= MAX_NODES, f"numNodes must be 1 to {MAX_NODES}, got {count}")
    _require(0 <= main < count, f"mainNode {main} is not one of {count} nodes")
    groups = properties["nodeRangeProperties"]
    _require(1 <= len(groups) <= MAX_NODE_GROUPS, f"1 to {MAX_NODE_GROUPS} node groups, got {len(groups)}")
    texts = [group["targetNodes"] for group in groups]
    _require(len(texts) == len(set(texts)), "two node groups with the same targetNodes")
    covered: set[int] = set()
    instance_types: set[str | None] = set()
    for group in groups:
        nodes = node_range(group["targetNodes"], count)
        _require(len(nodes) > 0 and nodes[-1] < count, f"targetNodes {group['targetNodes']} leaves the {count} nodes")
        covered.update(nodes)
        for unsupported in ("ecsProperties", "eksProperties", "consumableResourceProperties"):
            _require(unsupported not in group, f"test engine: {unsupported} is not simulated")
        _require("container" in group, f"node group {group['targetNodes']} has no container")
        _check_container(group["container"], fargate=False)
        for mnp_foreign in ("networkConfiguration", "fargatePlatformConfiguration", "ephemeralStorage"):
            _require(mnp_foreign not in group["container"], f"{mnp_foreign} is for Fargate only")
        types = group.get("instanceTypes", [])
        _require(len(types) <= 1, "instanceTypes of a node group holds at most one type")
        instance_types.update(types or [group["container"].get("instanceType")])
    _require(covered == set(range(count)), f"node ranges leave nodes {sorted(set(range(count)) - covered)} uncovered")
    _require(len(instance_types) == 1, "all node groups of a job must use one instance type")


def check_submission(request: Json, definition: Json) -> None:
    """SubmitJob, once its definition is known."""
    size = len(json.dumps(request, separators=(",", ":")).encode())
    _require(size < MAX_SUBMIT_BYTES, f"Job size must be less than 30 KiB, got {size // 1024} KiB")
    _require(_NAME.fullmatch(request["jobName"]) is not None, f"Job name {request['jobName']!r} is not valid")
    for unsupported in (
        "arrayProperties",
        "dependsOn",
        "eksPropertiesOverride",
        "ecsPropertiesOverride",
        "consumableResourcePropertiesOverride",
    ):
        _require(unsupported not in request, f"test engine: {unsupported} is not simulated")
    _check_retry(request.get("retryStrategy"))
    _check_timeout(request.get("timeout"))
    tags = {**definition.get("tags", {}), **request.get("tags", {})}
    _require(len(tags) <= 50, "job and definition tags together: at most 50")
    _require(0 <= request.get("schedulingPriorityOverride", 0) <= 9999, "schedulingPriorityOverride: 0 to 9999")
    if definition["type"] == "container":
        _require("nodeOverrides" not in request, "nodeOverrides is only valid for multi-node parallel jobs")
        _check_environment(request.get("containerOverrides", {}).get("environment", ()))
        return
    _require("containerOverrides" not in request, "containerOverrides is not valid for multi-node parallel jobs")
    overrides = request.get("nodeOverrides", {})
    properties = definition["nodeProperties"]
    ranges = [group["targetNodes"] for group in properties["nodeRangeProperties"]]
    for override in overrides.get("nodePropertyOverrides", ()):
        # aws/aws-parallelcluster#964: the two are compared as text, not as sets of nodes.
        _require(override["targetNodes"] in ranges, "NodeOverride targets should match job definition")
        _check_environment(override.get("containerOverrides", {}).get("environment", ()))
    if "numNodes" in overrides:
        count = overrides["numNodes"]
        open_ended = [text for text in ranges if text.endswith(":")]
        _require(bool(open_ended), "numNodes override needs a node range with an open upper boundary")
        for text in open_ended:
            _require(int(text[:-1] or 0) < count, f"numNodes {count} must exceed the lower boundary of {text}")
        _require(properties["mainNode"] < count <= MAX_NODES, f"numNodes {count} must exceed mainNode")


def node_containers(request: Json, definition: Json) -> list[Json]:
    """The container of every node, overrides applied, in node order; one element for a container job."""
    if definition["type"] == "container":
        return [_overridden(definition["containerProperties"], request.get("containerOverrides", {}))]
    properties, overrides = definition["nodeProperties"], request.get("nodeOverrides", {})
    count = overrides.get("numNodes", properties["numNodes"])
    by_range = {o["targetNodes"]: o.get("containerOverrides", {}) for o in overrides.get("nodePropertyOverrides", ())}
    containers: list[Json | None] = [None] * count
    # The nested range wins (botocore: "4:5 range properties override the 0:10 properties"): widest first.
    groups = [(node_range(g["targetNodes"], count), g) for g in properties["nodeRangeProperties"]]
    for nodes, group in sorted(groups, key=lambda pair: -len(pair[0])):
        for index in nodes:
            if index < count:
                containers[index] = _overridden(group["container"], by_range.get(group["targetNodes"], {}))
    complete = [container for container in containers if container is not None]
    _require(len(complete) == count, f"numNodes {count} leaves nodes uncovered")
    return complete


def _overridden(container: Json, override: Json) -> Json:
    merged = dict(container)
    if "command" in override:
        merged["command"] = override["command"]
    environment = {entry["name"]: entry.get("value", "") for entry in container.get("environment", ())}
    environment.update({entry["name"]: entry.get("value", "") for entry in override.get("environment", ())})
    merged["environment"] = [{"name": name, "value": value} for name, value in environment.items()]
    requirements = {r["type"]: r["value"] for r in container.get("resourceRequirements", ())}
    requirements.update({r["type"]: r["value"] for r in override.get("resourceRequirements", ())})
    merged["resourceRequirements"] = [{"type": kind, "value": value} for kind, value in requirements.items()]
    return merged


def substitute(command: Sequence[str], parameters: Mapping[str, str]) -> list[str]:
    """Replaces `Ref::name` arguments. One without a value stays as it is, and so does one inside a longer argument:
    Batch documents whole arguments only, so nothing may lean on the other."""

    def one(argument: str) -> str:
        match = _PLACEHOLDER.fullmatch(argument)
        return argument if match is None else parameters.get(match[1], argument)

    return [one(argument) for argument in command]


def overrides_length(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Characters of the ECS container override that Batch makes of a job: its final command and added environment."""
    pairs = [{"name": name, "value": value} for name, value in environment.items()]
    block = {"containerOverrides": [{"name": "default", "command": list(command), "environment": pairs}]}
    return len(json.dumps(block, separators=(",", ":")))


def retry_wanted(strategy: Json, attempt: int, exit_code: int | None, reason: str, status_reason: str) -> bool:
    """Whether Batch starts another attempt after failed attempt number `attempt` (from 1)."""
    if attempt >= strategy.get("attempts", 1):
        return False
    values = {
        "onExitCode": "" if exit_code is None else str(exit_code),
        "onReason": reason,
        "onStatusReason": status_reason,
    }
    for rule in strategy.get("evaluateOnExit", ()):
        if all(_glob(rule[key], values[key]) for key in values if key in rule):
            return bool(rule["action"].upper() == "RETRY")
    return True  # botocore: "If none of the listed conditions match, then the job is retried."


def _glob(pattern: str, value: str) -> bool:
    pattern, value = pattern.lower(), value.lower()
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern
