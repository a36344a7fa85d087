"""Resource templates: an executor that creates or deletes JobSets and polls them.

Takes a template after substitution; gives a generator that ends the node. `create` makes one JobSet from the manifest
text and waits for a condition; a JobSet of the same name, or its disappearance, is a failure with exit code 64.
`delete` takes the words of a kubectl command: the resource and a label selector. Stopping the node, its deadline or the
loss of its executor ends only the executor: the JobSet keeps running, as it does in a cluster.

Refuses other actions, flags, selectors and conditions than these.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import yaml

from .documents import KubernetesLoader
from .errors import NodeError, UnsupportedField
from .jobset import JobSet, check_jobset
from .nodes import Node
from .schemas import validate_jobset

if TYPE_CHECKING:
    from .workflow import Workflow

EXIT_CODE = 64
PLURALS = ("jobset", "jobsets", "jobsets.jobset.x-k8s.io", "jobset.jobset.x-k8s.io")


def selector(text: str, path: str) -> list[tuple[str, str, str]]:
    """`a=b`, `a==b` and `a!=b`, joined by commas: (key, operator, value)."""
    found = []
    for part in text.split(","):
        for operator in ("!=", "==", "="):
            key, sign, value = part.partition(operator)
            if sign:
                found.append((key.strip(), "!=" if operator == "!=" else "==", value.strip()))
                break
        else:
            raise UnsupportedField(path, f"unknown selector {part!r}")
        # A condition is parsed as a label selector, so its value has to look like a label's.
        if not all(c.isalnum() or c in "-_." for c in found[-1][2]):
            raise UnsupportedField(path, f"{found[-1][2]!r} is not a label value")
    return found


def _condition(text: str, document: Mapping[str, Any], path: str) -> list[bool]:
    """Whether each part holds; the keys are gjson paths into the object. A path that is not there does not hold."""
    held = []
    for key, operator, value in selector(text, path):
        place: Any = document
        for part in key.split("."):
            place = place.get(part) if isinstance(place, Mapping) else None
        held.append(place is not None and (str(place) == value) is (operator == "=="))
    return held


def run_resource(workflow: Workflow, node: Node, template: Mapping[str, Any], exit_: bool) -> Iterator[None]:
    resource = template["resource"]
    path = f"template {template['name']}.resource"
    if resource["action"] == "delete":
        _delete(workflow, resource.get("flags") or [], f"{path}.flags")
        node.end("Succeeded")
        return
    jobset = _create(workflow, resource, f"{path}.manifest")
    if jobset is None:
        node.exit_code = EXIT_CODE
        node.end("Failed", f"Error (exit code {EXIT_CODE}): jobsets.jobset.x-k8s.io already exists")
        return
    node.jobset = jobset
    if "successCondition" not in resource and "failureCondition" not in resource:
        node.end("Succeeded")
        return
    deadline = workflow.leaf_deadline(template)
    while not node.fulfilled:
        stopped = workflow.stop_message(exit_)
        state = {"status": jobset.status, "metadata": jobset.manifest["metadata"]}
        failing = _condition(resource["failureCondition"], state, path) if "failureCondition" in resource else []
        succeeding = _condition(resource["successCondition"], state, path) if "successCondition" in resource else []
        if stopped:
            node.end("Failed", stopped)
        elif node.executor_lost:
            node.end("Error", "pod deleted")
        elif deadline is not None and time.time() >= deadline:
            node.end("Failed", "Pod was active on the node longer than the specified deadline")
        elif jobset.deleted:
            node.exit_code = EXIT_CODE
            node.end("Failed", f"Error (exit code {EXIT_CODE}): jobset {jobset.name} not found")
        elif any(failing):
            node.exit_code = EXIT_CODE
            why = f"failure condition '{resource['failureCondition']}' evaluated true"
            node.end("Failed", f"Error (exit code {EXIT_CODE}): {why}")
        elif succeeding and all(succeeding):
            node.end("Succeeded")
        else:
            yield


def _create(workflow: Workflow, resource: Mapping[str, Any], path: str) -> JobSet | None:
    try:
        documents = list(yaml.load_all(resource["manifest"], KubernetesLoader))
    except yaml.YAMLError as error:
        raise NodeError(f"{path}: {error}") from error
    if len(documents) != 1:
        raise NodeError(f"{path}: {len(documents)} documents instead of one")
    manifest = documents[0]
    if faults := validate_jobset(manifest):
        raise UnsupportedField(path, "; ".join(faults))
    check_jobset(manifest, f"JobSet {manifest['metadata'].get('name')}")
    owner = workflow.uid if resource.get("setOwnerReference") else None
    return workflow.cluster.create_jobset(manifest, owner)


def _delete(workflow: Workflow, flags: list[str], path: str) -> None:
    words = list(flags)
    wanted: str | None = None
    if not words or words.pop(0) not in PLURALS:
        raise UnsupportedField(path, f"the first word has to be one of {PLURALS}")
    while words:
        word = words.pop(0)
        name, sign, value = word.partition("=")
        if word in ("-l", "--selector") and words:
            wanted = words.pop(0)
        elif sign and name in ("-l", "--selector"):
            wanted = value
        elif word not in ("--ignore-not-found", "--ignore-not-found=true", "--wait=true", "--wait=false", "--wait"):
            raise UnsupportedField(path, f"unknown flag {word!r}")
    if not wanted:
        raise UnsupportedField(path, "needs -l KEY=VALUE")
    parts = selector(wanted, path)
    for jobset in workflow.cluster.jobsets:
        if not jobset.deleted and all((jobset.labels.get(k) == v) is (op == "==") for k, op, v in parts):
            workflow.cluster.delete_jobset(jobset)
