"""Hand-written documents for the engine's own tests: as short as the subject allows."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from typing import Any

import yaml

SUCCESS = "status.terminalState == Completed"
FAILURE = "status.terminalState == Failed"


def flow(templates: str, *, name: str = "sample", spec: str = "", parameters: Mapping[str, str] | None = None) -> str:
    """A WorkflowTemplate from the YAML of its templates; `spec` is more YAML at the level of the spec."""
    document = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "WorkflowTemplate",
        "metadata": {"name": name},
        "spec": {
            "entrypoint": "main",
            "arguments": {"parameters": [{"name": n, "value": v} for n, v in (parameters or {}).items()]},
            **(yaml.safe_load(textwrap.dedent(spec)) or {}),
            "templates": yaml.safe_load(textwrap.dedent(templates)),
        },
    }
    return json.dumps(document)


def sh(name: str, script: str, **more: Any) -> str:
    """One template in YAML (JSON is YAML): a container that runs a shell script."""
    container = {"image": "any", "command": ["sh", "-c", script], **more.pop("container", {})}
    return "- " + json.dumps({"name": name, "container": container, **more}) + "\n"


def one(script: str, **more: Any) -> str:
    """A workflow of one step."""
    return flow(sh("main", script, **more))


def job(script: str, count: int = 2, *, pod: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "any", "command": ["sh", "-c", script], **(pod or {})}
    return {
        "parallelism": count, "completions": count, "completionMode": "Indexed", "backoffLimit": 0,
        "template": {"spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container]}},
        **more,
    }  # fmt: skip


def jobset(*jobs: tuple[str, dict[str, Any]], name: str = "set", labels: Mapping[str, str] | None = None,
           **spec: Any) -> dict[str, Any]:  # fmt: skip
    replicated = [{"name": n, "replicas": 1, "template": {"spec": body}} for n, body in jobs]
    return {
        "apiVersion": "jobset.x-k8s.io/v1alpha2", "kind": "JobSet",
        "metadata": {"name": name, **({"labels": dict(labels)} if labels else {})},
        "spec": {"replicatedJobs": replicated, **spec},
    }  # fmt: skip


def gang(manifest: Mapping[str, Any] | str, *, name: str = "main", resource: Mapping[str, Any] | None = None,
         **more: Any) -> str:  # fmt: skip
    """One resource template in YAML."""
    text = manifest if isinstance(manifest, str) else json.dumps(manifest, separators=(",", ":"))
    body = {"action": "create", "setOwnerReference": True, "successCondition": SUCCESS, "failureCondition": FAILURE,
            "manifest": text, **(resource or {})}  # fmt: skip
    return "- " + json.dumps({"name": name, "resource": body, **more}) + "\n"


DISRUPTED = {"type": "DisruptionTarget", "status": "True"}
DISRUPTION_RULES = {"rules": [{"action": "FailJob", "onPodConditions": [DISRUPTED]}]}
RESTART_ON_DISRUPTION = {
    "maxRestarts": 0,
    "rules": [
        {
            "name": "disruption",
            "action": "RestartJobSetAndIgnoreMaxRestarts",
            "onJobFailureReasons": ["PodFailurePolicy"],
        }
    ],
}
