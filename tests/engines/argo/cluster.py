"""The cluster: documents, workflows, JobSets and pods, and the loop that drives them.

Takes a folder to work in and `base_env`, which plays the image's own environment (PATH, HOME, ...); runs everything in
one thread. On leaving the `with` block every process is killed, whatever its state.

`clock_scale` multiplies waits that only cost time (backoff, suspend), `deadline_scale` deadlines, and `grace_cap` is
the most seconds a pod gets between TERM and KILL whatever its specification says (30 by default in Kubernetes).
Documents are checked twice when they are applied: by the CRD schemas (`InvalidDocumentError`) and by the engine's own
allow-lists (`UnsupportedField`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from . import documents
from .errors import InvalidDocumentError
from .jobset import JobSet
from .pods import Pod, PodSpec, Stored, random_address
from .schemas import validate_strict
from .workflow import Workflow

TICK = 0.005
GRACE = 30.0


@dataclass(slots=True)
class Hold:
    """Pods that match stay Pending, as on a cluster without room for them, until `release`."""

    matches: Callable[[Pod], bool]
    released: bool = False

    def release(self) -> None:
        self.released = True


class Cluster:
    def __init__(
        self,
        workdir: Path,
        *,
        base_env: Mapping[str, str],
        secrets: Mapping[str, Mapping[str, str]] | None = None,
        config_maps: Mapping[str, Mapping[str, str]] | None = None,
        namespace: str = "test",
        clock_scale: float = 1.0,
        deadline_scale: float = 1.0,
        grace_cap: float = 5.0,
    ) -> None:
        self.workdir, self.base_env, self.namespace = workdir, dict(base_env), namespace
        self.stored = Stored(secrets or {}, config_maps or {})
        self.clock_scale, self.deadline_scale, self.grace_cap = clock_scale, deadline_scale, grace_cap
        self.lock = threading.RLock()
        self.pods: list[Pod] = []
        self.jobsets: list[JobSet] = []
        self.workflows: list[Workflow] = []
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self._holds: list[Hold] = []
        self.fault: BaseException | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="argo-engine", daemon=True)

    def __enter__(self) -> Self:
        self.workdir.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Kill every process of every pod. Raises a fault of the engine that no `wait` has shown."""
        self._closing.set()
        self._thread.join(timeout=60)
        for pod in self.pods:
            pod.destroy()
        if self.fault is not None:
            raise self.fault

    # Documents and workflows

    def apply(self, text: str) -> list[str]:
        """Check and store every document of the stream; gives their names."""
        found = documents.load(text)
        for document in found:
            kind = document["kind"]
            if kind in ("WorkflowTemplate", "CronWorkflow"):
                if faults := validate_strict(document):
                    raise InvalidDocumentError(faults)
                (documents.check_workflow_template if kind == "WorkflowTemplate" else documents.check_cron)(document)
        for document in found:
            self.objects[document["kind"], document["metadata"]["name"]] = document
        return [document["metadata"]["name"] for document in found]

    def template(self, name: str) -> dict[str, Any]:
        try:
            return self.objects["WorkflowTemplate", name]
        except KeyError:
            raise LookupError(f"no WorkflowTemplate {name!r}") from None

    def submit(self, name: str, parameters: Mapping[str, str] | None = None) -> Workflow:
        """`argo submit --from workflowtemplate/NAME -p ...`"""
        self.template(name)
        with self.lock:
            workflow = Workflow(self, name, parameters or {}, self.namespace)
            self.workflows.append(workflow)
        return workflow

    def trigger(self, name: str) -> Workflow:
        """What the schedule of a CronWorkflow does."""
        spec = self.objects["CronWorkflow", name]["spec"]["workflowSpec"]
        parameters = (spec.get("arguments") or {}).get("parameters") or []
        return self.submit(spec["workflowTemplateRef"]["name"], {p["name"]: str(p["value"]) for p in parameters})

    def delete_workflow(self, workflow: Workflow) -> None:
        """`argo delete`: no exit handler, and what the Workflow owns goes with it."""
        workflow.terminate()
        with self.lock:
            for jobset in self.jobsets:
                if jobset.owner == workflow.uid:
                    self.delete_jobset(jobset)

    # What tests do to pods

    def logs(self, pod: Pod) -> str:
        return pod.logs()

    def hold_pods(self, matches: Callable[[Pod], bool]) -> Hold:
        """Call it before the pods are created: a running pod is not stopped."""
        hold = Hold(matches)
        with self.lock:
            self._holds.append(hold)
        return hold

    def disrupt_pod(self, pod: Pod) -> None:
        """Preempt or evict: the condition DisruptionTarget, then deletion with the grace period."""
        with self.lock:
            pod.conditions.add("DisruptionTarget")
            self.delete_pod(pod)

    def delete_pod(self, pod: Pod) -> None:
        """`kubectl delete pod`"""
        with self.lock:
            pod.deleted = True
            self.stop_pod(pod)

    def wait_for(self, condition: Callable[[], bool], timeout: float = 30) -> None:
        """Wait for something that a test looks at, with the engine running."""
        end = time.time() + timeout
        while not condition():
            if time.time() > end:
                raise TimeoutError("\n".join(w.describe() for w in self.workflows))
            time.sleep(0.005)

    # For controllers

    def create_pod(self, definition: PodSpec) -> Pod:
        taken = {pod.address for pod in self.pods}
        pod = Pod(definition, self.workdir / "pods" / f"{len(self.pods):04d}-{definition.name}")
        while pod.address in taken:
            pod.address = random_address()
        self.pods.append(pod)
        self._start(pod)
        return pod

    def stop_pod(self, pod: Pod) -> None:
        grace = float(pod.definition.spec.get("terminationGracePeriodSeconds", GRACE))
        pod.terminate(min(grace, self.grace_cap))

    def create_jobset(self, manifest: Mapping[str, Any], owner: str | None) -> JobSet | None:
        """None when the name is taken."""
        name = manifest["metadata"]["name"]
        if any(jobset.name == name and not jobset.deleted for jobset in self.jobsets):
            return None
        self.jobsets.append(JobSet(manifest, self.namespace, f"JobSet {name}", owner))
        return self.jobsets[-1]

    def delete_jobset(self, jobset: JobSet) -> None:
        with self.lock:
            jobset.delete(self)

    # The loop

    def _start(self, pod: Pod) -> None:
        if not any(hold.matches(pod) and not hold.released for hold in self._holds):
            pod.start(self.base_env, self.stored)

    def _loop(self) -> None:
        while not self._closing.wait(TICK):
            with self.lock:
                try:
                    self._tick()
                except Exception as fault:
                    self._blame(fault)
                    return

    def _blame(self, fault: BaseException) -> None:
        """A fault outside of any workflow's own tick (a JobSet's pod, for example) ends them all, and the engine."""
        self.fault = fault
        for workflow in self.workflows:
            if not workflow.done:
                workflow.fault, workflow.phase = fault, "Error"

    def _tick(self) -> None:
        for pod in self.pods:
            if pod.phase == "Pending":
                self._start(pod)
            pod.poll()
        for jobset in self.jobsets:
            jobset.reconcile(self)
        for workflow in self.workflows:
            if not workflow.done:
                workflow.tick()
