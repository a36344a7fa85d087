"""A step on one node: a `container` template.

Takes a `Build` and a step; gives the template. The command is a list of fixed words and the step's name, never a
shell line, and the environment says who this node is; see `emit_pods`.
"""

from __future__ import annotations

from flowc.compiler.model import Build
from flowc.runtime.plan import Step
from flowc.targets.settings import deadline as deadline_of

from . import emit_pods as pods
from . import names
from .emit_pods import Doc
from .expressions import Value, as_tags

# A lost host or an evicted pod is an Error in Argo's words, a body that fails a Failure; both are worth another try,
# on another host where there is one.
_RETRY_POLICY = "Always"
_ELSEWHERE: Doc = {"affinity": {"nodeAntiAffinity": {}}}


def step_template(build: Build, step: Step) -> Doc:
    """The template of a single-node step."""
    deadline = deadline_of(step.settings)
    return {
        "name": names.template_name(step.name),
        "metadata": {"labels": pods.labels(build, step), "annotations": pods.source_place(step)},
        # A string: Argo types this field IntOrString and its own writers quote it.
        **({} if deadline is None else {"activeDeadlineSeconds": str(deadline)}),
        **pods.retries(step.settings, _RETRY_POLICY, _ELSEWHERE),
        "container": {
            "image": step.settings.image,
            "command": pods.command(step),
            "env": [_tagged(entry) for entry in pods.environment(build, step)],
            "resources": pods.resources(step.settings),
            **pods.shm_mounts(step.settings),
        },
        **pods.shm_volumes(step.settings),
    }


def _tagged(entry: Doc) -> Doc:
    value = entry.get("value")
    return entry | {"value": as_tags(value)} if isinstance(value, Value) else entry
