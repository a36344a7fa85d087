"""emit: the plan as Kubernetes documents, plain data.

Takes a `Build`; gives `Documents`: the WorkflowTemplate and the rights it needs. The flow is one DAG template; each
step has a template of its own and one task. Order is written out as `depends: a.Succeeded && b.Succeeded`, with every
edge of the plan: a bare `depends: a` would also accept a step that was skipped.

Pure: the same build gives equal documents. `limits` must have found no error.
"""

from __future__ import annotations

from dataclasses import dataclass

from flowc.compiler.model import Build
from flowc.runtime.plan import Plan, Step

from . import names, parameters
from .emit_gangs import exit_handler, gang_template
from .emit_pods import Doc
from .emit_rights import rights
from .emit_steps import step_template


@dataclass(frozen=True, slots=True)
class Documents:
    """What is rendered: `origin` are the lines that say where the documents come from."""

    origin: tuple[str, ...]
    workflow_template: Doc
    rights: tuple[Doc, ...]


def emit(build: Build) -> Documents:
    gangs = any(step.gang for step in build.plan.steps)
    return Documents(
        origin=(
            f"Compiled from {build.source_name} (sha256 {build.source_digest})",
            f"by flowc {build.version} for Argo Workflows; code bundle {build.bundle_digest}.",
            "Change the flow file, not this one.",
        ),
        workflow_template=_workflow_template(build, gangs),
        rights=rights(gangs),
    )


def _workflow_template(build: Build, gangs: bool) -> Doc:
    plan = build.plan
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "WorkflowTemplate",
        "metadata": {
            "name": names.object_name(plan.flow),
            "labels": _flow_labels(plan),
            "annotations": {
                "flowc/flow": plan.flow,
                "flowc/source": build.source_name,
                "flowc/source-digest": build.source_digest,
                "flowc/bundle": build.bundle_digest,
                "flowc/version": build.version,
            },
        },
        "spec": {
            "entrypoint": names.ENTRYPOINT,
            **({"onExit": names.EXIT_HANDLER} if gangs else {}),
            "serviceAccountName": names.TASK_ACCOUNT,
            **({} if plan.timeout is None else {"activeDeadlineSeconds": plan.timeout}),
            **_arguments(plan),
            "workflowMetadata": {"labels": _flow_labels(plan)},
            "templates": [
                _dag(plan),
                *(gang_template(build, step) if step.gang else step_template(build, step) for step in plan.steps),
                *([exit_handler()] if gangs else []),
            ],
        },
    }


def _flow_labels(plan: Plan) -> Doc:
    return {names.FLOW_LABEL: names.label_value(plan.flow)}


def _arguments(plan: Plan) -> Doc:
    if not plan.params:
        return {}
    declared = []
    for param in plan.params:
        text = parameters.document_text(param)
        declared.append({"name": param.name} if text is None else {"name": param.name, "value": text})
    return {"arguments": {"parameters": declared}}


def _dag(plan: Plan) -> Doc:
    return {"name": names.ENTRYPOINT, "dag": {"tasks": [_task(step) for step in plan.steps]}}


def _task(step: Step) -> Doc:
    task = {"name": names.task_name(step.name), "template": names.template_name(step.name)}
    if step.needs:
        task["depends"] = " && ".join(f"{names.task_name(need)}.Succeeded" for need in step.needs)
    return task
