"""Job definitions: one per step, in exactly the shape of RegisterJobDefinition.

Takes a `Build` and a step; gives plain data in which `Marked` text stands for what a deployment knows. A step on one
node is a `container` job, a gang a `multinode` job of one node range, so that every node is the same and SubmitJob
needs no overrides, which Step Functions does not document. Values of a run reach a job as `Ref::run` in its command.

Nothing the user wrote appears here but the image: bodies, inputs and the step's `env` are in the plan.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

from flowc.compiler.model import Build
from flowc.runtime.plan import Settings, Step
from flowc.targets.settings import deadline

from . import names
from .marks import Marked

Doc: TypeAlias = dict[str, Any]

MIB = 2**20

# Tries that Batch makes on its own when a host is lost (a reclaimed or broken instance); they count as no retry of
# the step. User retries are the state machine's, which knows waits: both together would multiply.
HOST_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class JobDefinition:
    """`step` and `logical_id` say whose it is; `request` is what RegisterJobDefinition takes."""

    step: str
    logical_id: str
    request: Doc


def job_definition(build: Build, step: Step) -> JobDefinition:
    limit = deadline(step.settings)
    content: Doc = {
        **_shape(build, step),
        "retryStrategy": {
            "attempts": HOST_ATTEMPTS,
            "evaluateOnExit": [
                {"onStatusReason": "Host EC2*", "action": "RETRY"},
                # Batch retries what no rule matches.
                {"onReason": "*", "action": "EXIT"},
            ],
        },
        # The whole gang's, per attempt, from its start: the backstop of the runtime's own clock.
        **({} if limit is None else {"timeout": {"attemptDurationSeconds": limit}}),
        "tags": {"flowc:flow": build.plan.flow, "flowc:step": step.name, "flowc:line": str(step.line)},
    }
    name = names.definition_name(build.plan.flow, step.name, content)
    return JobDefinition(step.name, names.logical_id(step.name), {"jobDefinitionName": name, **content})


def _shape(build: Build, step: Step) -> Doc:
    container = _container(build, step)
    if step.nodes == 1:
        return {"type": "container", "containerProperties": container}
    # An open range: all nodes from 0 on.
    ranges = [{"targetNodes": "0:", "container": container}]
    return {
        "type": "multinode",
        "nodeProperties": {"numNodes": step.nodes, "mainNode": 0, "nodeRangeProperties": ranges},
    }


def _container(build: Build, step: Step) -> Doc:
    return {
        "image": step.settings.image,
        "command": ["python", "-m", "flowc.runtime", "step", step.name, "--run", "Ref::run"],
        "resourceRequirements": [{"type": type_, "value": value} for type_, value in resources(step.settings)],
        "environment": [
            {"name": "FLOWC_ENGINE", "value": "batch"},
            {"name": "FLOWC_STORE", "value": Marked("s3://${StoreBucket}/${StorePrefix}")},
            {"name": "FLOWC_FLOW", "value": build.plan.flow},
            {"name": "FLOWC_BUNDLE", "value": build.bundle_digest},
        ],
        "jobRoleArn": Marked("${JobRole}"),
        "executionRoleArn": Marked("${ExecutionRole}"),
        **_shared_memory(step.settings),
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": Marked("${LogGroup}"),
                "awslogs-region": Marked("${Region}"),
                "awslogs-stream-prefix": f"{build.plan.flow}/{step.name}",
            },
        },
    }


def _shared_memory(settings: Settings) -> Doc:
    """Docker's own 64 MiB are too little for NCCL and data loaders."""
    return {} if settings.shm is None else {"linuxParameters": {"sharedMemorySize": mebibytes(settings.shm)}}


def resources(settings: Settings) -> tuple[tuple[str, str], ...]:
    """Batch on EC2 counts whole processors and mebibytes, as strings; parts are rounded up."""
    rows = [("VCPU", str(max(1, math.ceil(settings.cpu)))), ("MEMORY", str(mebibytes(settings.memory)))]
    return (*rows, ("GPU", str(settings.gpu))) if settings.gpu else tuple(rows)


def mebibytes(size: int) -> int:
    return max(1, -(-size // MIB))
