"""What every pod of a flow has, whether Argo starts it or a JobSet does: command, identity, resources, shared memory.

Takes a `Build` and a step; gives plain data in which run-time values stand as `Value`. Callers turn them into tags or
JSON literals. Nothing the user wrote appears here but the image: bodies, inputs and the step's `env` are in the plan,
which the runtime reads, because Argo would expand `{{…}}` and Kubernetes `$(X)` in them.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from flowc.compiler.model import Build
from flowc.runtime.plan import Settings, Step

from . import names, parameters
from .expressions import Expr, Value

Doc: TypeAlias = dict[str, Any]

GPU_RESOURCE = "nvidia.com/gpu"
SHM_VOLUME = "dshm"
SHM_PATH = "/dev/shm"  # noqa: S108  # the mount point of shared memory, no temporary file


def command(step: Step) -> list[str]:
    return ["python", "-m", "flowc.runtime", "step", step.name]


def environment(build: Build, step: Step) -> list[Doc]:
    """The identity of a node, as the runtime reads it. Parameters go only to steps that may be a run's first."""
    env: list[Doc] = [
        _set("FLOWC_ENGINE", "argo"),
        _store(build.store),
        _set("FLOWC_FLOW", build.plan.flow),
        _set("FLOWC_RUN", Value((Expr("workflow.uid"),))),
        _set("FLOWC_BUNDLE", build.bundle_digest),
        _field("FLOWC_POD_UID", "metadata.uid"),
        _field("FLOWC_ADDRESS", "status.podIP"),
        _set("FLOWC_ENGINE_REF", Value((Expr("workflow.namespace"), "/", Expr("workflow.name")))),
    ]
    if not step.needs:
        slots = parameters.slots(build.plan.params)
        env.append(_set("FLOWC_PARAMS", Value(slots) if slots else ""))
    return env


def gang_environment(step: Step) -> list[Doc]:
    """What a node of a JobSet is told in addition. Its index is JOB_COMPLETION_INDEX, set by the Job controller."""
    return [
        _set("FLOWC_NODES", str(step.nodes)),
        _field("FLOWC_JOBSET_UID", "metadata.labels['jobset.sigs.k8s.io/jobset-uid']"),
        _field("FLOWC_JOBSET_RESTART", "metadata.labels['jobset.sigs.k8s.io/restart-attempt']"),
    ]


def _set(name: str, value: str | Value) -> Doc:
    return {"name": name, "value": value}


def _field(name: str, path: str) -> Doc:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _store(url: str | None) -> Doc:
    if url is None:
        where = {"name": names.STORE_CONFIG_MAP, "key": names.STORE_CONFIG_KEY}
        return {"name": "FLOWC_STORE", "valueFrom": {"configMapKeyRef": where}}
    # Kubernetes expands `$(NAME)` in environment values and reads `$$` as one dollar.
    return _set("FLOWC_STORE", url.replace("$", "$$"))


def resources(settings: Settings) -> Doc:
    """Requests and limits. Memory and GPUs have both, equal; processor time is shared out by request alone."""
    fixed = {"memory": quantity(settings.memory)}
    if settings.gpu:
        # Kubernetes refuses extended resources whose request is not their limit.
        fixed[GPU_RESOURCE] = str(settings.gpu)
    return {"requests": {"cpu": cores(settings.cpu), **fixed}, "limits": dict(fixed)}


def shm_mounts(settings: Settings) -> Doc:
    return {} if settings.shm is None else {"volumeMounts": [{"name": SHM_VOLUME, "mountPath": SHM_PATH}]}


def shm_volumes(settings: Settings) -> Doc:
    """Shared memory as a memory volume: a container's own is 64 MiB, too little for NCCL and data loaders."""
    if settings.shm is None:
        return {}
    memory = {"medium": "Memory", "sizeLimit": quantity(settings.shm)}
    return {"volumes": [{"name": SHM_VOLUME, "emptyDir": memory}]}


def retries(settings: Settings, policy: str, extra: Doc) -> Doc:
    """`retryStrategy`, or nothing. Without `limit` Argo retries for ever and never waits."""
    if not settings.retries:
        return {}
    strategy: Doc = {"limit": str(settings.retries), "retryPolicy": policy}
    if settings.retry_wait:
        strategy["backoff"] = {"duration": f"{settings.retry_wait}s", "factor": "2"}
    return {"retryStrategy": strategy | extra}


def labels(build: Build, step: Step) -> Doc:
    return {names.FLOW_LABEL: names.label_value(build.plan.flow), names.STEP_LABEL: names.label_value(step.name)}


def source_place(step: Step) -> Doc:
    return {"flowc/line": str(step.line)}


def cores(cpu: float) -> str:
    """Processor cores as Kubernetes writes them, in thousandths at the finest."""
    milli = math.ceil(round(cpu * 1000, 6))
    return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"


def quantity(size: int) -> str:
    """Bytes in the largest binary unit that holds them exactly."""
    for unit, factor in (("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)
