"""JobSets with Indexed Jobs, as their two controllers run them.

Takes a manifest (plain dicts, valid by the strict CRD schema); gives a `JobSet` whose `reconcile` is called again and
again, creates and deletes pods, and ends in `terminal_state` Completed or Failed. Semantics from the controllers:

- Job: one pod per completion index; a failed pod fails the Job (`backoffLimit: 0`) or does what `podFailurePolicy`
  says; the other pods get TERM, the grace period, KILL; the Job is Failed only when all of its pods are gone.
- JobSet: failed Jobs are looked at before successful ones; without a `failurePolicy` the first failed Job fails the
  set; a restart deletes every Job and creates it again when its old pods are gone (`BlockingRecreate`: all of them); a
  terminal state deletes the Jobs that are still active.

Refuses what the engine does not play (`FIELDS`), and what makes a gang hang in a real cluster: `restartPolicy` other
than an explicit Never (the webhook's default OnFailure restarts one rank in place while the others wait for ever), a
`backoffLimit` other than 0, a `completionMode` other than Indexed, names that pods cannot carry.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from .documents import check_pod
from .errors import UnsupportedField
from .pods import Pod, PodSpec, random_suffix, rfc1123

GROUP = "jobset.sigs.k8s.io"
OBJECT = "apiVersion kind metadata spec"
FIELDS: Mapping[str, str] = {
    "jobset": OBJECT,
    "metadata": "name labels annotations",
    "spec": "replicatedJobs network successPolicy failurePolicy ttlSecondsAfterFinished",
    "network": "enableDNSHostnames publishNotReadyAddresses subdomain",
    "successPolicy": "operator targetReplicatedJobs",
    "failurePolicy": "maxRestarts restartStrategy rules",
    "failure rule": "name action onJobFailureReasons targetReplicatedJobs",
    "replicatedJob": "name replicas template",
    "job template": "metadata spec",
    "job": (
        "parallelism completions completionMode backoffLimit activeDeadlineSeconds podFailurePolicy template "
        "podReplacementPolicy"
    ),
    "podFailurePolicy": "rules",
    "pod rule": "action onPodConditions onExitCodes",
    "pod condition": "type status",
    "exit codes": "operator values containerName",
    "pod template": "metadata spec",
}
# The operator polls the object; a set that deletes itself at once looks like a failure (404).
LEAST_TTL = 600


class Keeper(Protocol):
    """What the controllers need of the cluster."""

    deadline_scale: float

    def create_pod(self, definition: PodSpec) -> Pod: ...
    def stop_pod(self, pod: Pod) -> None: ...


def known(value: Any, kind: str, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UnsupportedField(path, f"is not an object but {value!r}")
    for name in value:
        if name not in FIELDS[kind].split():
            raise UnsupportedField(f"{path}.{name}", f"unknown field of {kind}")
    return value


@dataclass(slots=True)
class Job:
    """One child Job of a JobSet run."""

    name: str
    replicated: str
    spec: Mapping[str, Any]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    namespace: str
    path: str
    restart: int
    pods: list[Pod] = field(default_factory=list)
    started: float = field(default_factory=time.time)
    failed_at: float = 0.0
    state: str = "Active"  # Active, Complete, Failed
    reason: str = ""
    message: str = ""
    deleted: bool = False
    _target: bool = False
    _judged: set[str] = field(default_factory=set)

    def current(self, index: int) -> Pod | None:
        mine = [pod for pod in self.pods if pod.labels[INDEX] == str(index)]
        return mine[-1] if mine else None

    @property
    def drained(self) -> bool:
        return all(pod.done for pod in self.pods)

    def reconcile(self, keeper: Keeper) -> None:
        if self.deleted or self.state != "Active":
            return
        deadline = self.spec.get("activeDeadlineSeconds")
        if deadline is not None and time.time() >= self.started + deadline * keeper.deadline_scale:
            self._fail("DeadlineExceeded", "Job was active longer than specified deadline")
        for pod in self.pods:
            if pod.phase == "Failed" and pod.uid not in self._judged:
                self._judged.add(pod.uid)
                self._judge(pod)
        if self._target:
            for pod in self.pods:
                keeper.stop_pod(pod)
            if self.drained:
                self.state, self.failed_at = "Failed", time.time()
            return
        count = self.spec["completions"]
        pods = [self.current(index) for index in range(count)]
        if all(pod is not None and pod.phase == "Succeeded" for pod in pods):
            self.state = "Complete"
        for index, last in enumerate(pods):
            if last is None or last.phase == "Failed":
                self.pods.append(keeper.create_pod(self._pod(index)))

    def _fail(self, reason: str, message: str) -> None:
        if not self._target:
            self._target, self.reason, self.message = True, reason, message

    def _judge(self, pod: Pod) -> None:
        who = f"{self.namespace}/{pod.name}"
        for number, rule in enumerate((self.spec.get("podFailurePolicy") or {}).get("rules", [])):
            conditions = [c["type"] for c in rule.get("onPodConditions", [])]
            matched = [c for c in conditions if c in pod.conditions]
            if "onExitCodes" in rule and pod.exit_code:
                inside = pod.exit_code in rule["onExitCodes"]["values"]
                matched += [f"exit code {pod.exit_code}"] if inside is (rule["onExitCodes"]["operator"] == "In") else []
            if matched and rule["action"] == "FailJob":
                self._fail("PodFailurePolicy", f"Pod {who} has {matched[0]} matching FailJob rule at index {number}")
                return
            if matched and rule["action"] == "Ignore":
                return  # the pod is replaced, alone
            if matched:
                break
        self._fail("BackoffLimitExceeded", f"Job has reached the specified backoff limit, pod {who} failed")

    def _pod(self, index: int) -> PodSpec:
        template = self.spec["template"]
        meta = template.get("metadata") or {}
        labels = {
            **(meta.get("labels") or {}),
            **self.labels,
            INDEX: str(index),
            "batch.kubernetes.io/job-name": self.name,
            "job-name": self.name,
        }
        annotations = {**(meta.get("annotations") or {}), **self.annotations, INDEX: str(index)}
        spec = dict(template["spec"])
        container = dict(spec["containers"][0])
        # The Job controller appends it to the list, so earlier entries cannot refer to it.
        if all(entry["name"] != "JOB_COMPLETION_INDEX" for entry in container.get("env", [])):
            source = {"fieldRef": {"fieldPath": f"metadata.annotations['{INDEX}']"}}
            container["env"] = [*container.get("env", []), {"name": "JOB_COMPLETION_INDEX", "valueFrom": source}]
        spec["containers"] = [container]
        return PodSpec(
            name=f"{self.name}-{index}-{random_suffix()}",
            namespace=self.namespace,
            owner=f"Job {self.name}",
            labels=labels,
            annotations=annotations,
            spec=spec,
            path=self.path,
            hostname=f"{self.name}-{index}",
        )


INDEX = "batch.kubernetes.io/job-completion-index"


@dataclass(slots=True)
class JobSet:
    """One JobSet object. `owner` is the uid of the Workflow that owns it, if it was created with an owner reference."""

    manifest: Mapping[str, Any]
    namespace: str
    path: str
    owner: str | None = None
    uid: str = field(default_factory=lambda: str(uuid.uuid4()))
    created: float = field(default_factory=time.time)
    jobs: list[Job] = field(default_factory=list)
    restarts: int = 0
    restarts_counted: int = 0
    terminal_state: str = ""
    reason: str = ""
    message: str = ""
    deleted: bool = False

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])

    @property
    def labels(self) -> Mapping[str, str]:
        return self.manifest["metadata"].get("labels") or {}

    @property
    def spec(self) -> Mapping[str, Any]:
        spec: Mapping[str, Any] = self.manifest["spec"]
        return spec

    @property
    def pods(self) -> list[Pod]:
        """Every pod of every run, oldest first."""
        return [pod for job in self.jobs for pod in job.pods]

    @property
    def current_jobs(self) -> list[Job]:
        return [job for job in self.jobs if job.restart == self.restarts and not job.deleted]

    @property
    def active(self) -> bool:
        """Something of it still runs, or would run again."""
        return (not self.deleted and not self.terminal_state) or not all(pod.done for pod in self.pods)

    @property
    def status(self) -> dict[str, Any]:
        """What a condition of a resource template can see."""
        status: dict[str, Any] = {"restarts": self.restarts, "restartsCountTowardsMax": self.restarts_counted}
        return {**status, "terminalState": self.terminal_state} if self.terminal_state else status

    def delete(self, keeper: Keeper) -> None:
        self.deleted = True
        self._delete_jobs(self.jobs, keeper)

    def reconcile(self, keeper: Keeper) -> None:
        for job in self.jobs:
            job.reconcile(keeper)
        if self.deleted:
            return
        current = self.current_jobs
        if self.terminal_state:
            self._delete_jobs([job for job in current if job.state == "Active"], keeper)
            return
        if failed := sorted((job for job in current if job.state == "Failed"), key=lambda job: job.failed_at):
            self._apply_failure_policy(failed, keeper)
        elif self._succeeded(current):
            self.terminal_state, self.reason = "Completed", "AllJobsCompleted"
        else:
            self._create_jobs(keeper)

    def _delete_jobs(self, jobs: list[Job], keeper: Keeper) -> None:
        for job in jobs:
            job.deleted = True
            for pod in job.pods:
                keeper.stop_pod(pod)

    def _apply_failure_policy(self, failed: list[Job], keeper: Keeper) -> None:
        policy = self.spec.get("failurePolicy")
        if policy is None:
            first = f"(first failed job: {failed[0].name})"
            self._end("FailedJobs", f"jobset failed due to one or more job failures {first}")
            return
        action, job = "RestartJobSet", failed[0]
        for rule in policy.get("rules", []):
            matching = [j for j in failed if _applies(rule, j)]
            if matching:
                action, job = rule["action"], matching[0]
                break
        if action == "FailJobSet":
            self._end("FailJobSetFailurePolicyAction", f"(first failed job: {job.name}) {job.message}")
        elif action == "RestartJobSet" and self.restarts_counted >= policy.get("maxRestarts", 0):
            self._end(
                "ReachedMaxRestarts",
                f"jobset failed due to reaching max number of restarts (first failed job: {job.name}) {job.message}",
            )
        else:
            self._delete_jobs(self.current_jobs, keeper)
            self.restarts += 1
            self.restarts_counted += action == "RestartJobSet"

    def _end(self, reason: str, message: str) -> None:
        self.terminal_state, self.reason, self.message = "Failed", reason, message

    def _succeeded(self, current: list[Job]) -> bool:
        policy = self.spec.get("successPolicy") or {}
        targets = policy.get("targetReplicatedJobs") or [r["name"] for r in self.spec["replicatedJobs"]]
        complete = [job for job in current if job.replicated in targets and job.state == "Complete"]
        wanted: int = sum(r.get("replicas", 1) for r in self.spec["replicatedJobs"] if r["name"] in targets)
        return bool(complete) if policy.get("operator", "All") == "Any" else len(complete) == wanted

    def _create_jobs(self, keeper: Keeper) -> None:
        old = [job for job in self.jobs if job.restart < self.restarts]
        blocking = (self.spec.get("failurePolicy") or {}).get("restartStrategy") == "BlockingRecreate"
        if blocking and not all(job.drained for job in old):
            return
        total = 0
        for replicated in self.spec["replicatedJobs"]:
            for index in range(replicated.get("replicas", 1)):
                name = f"{self.name}-{replicated['name']}-{index}"
                # The new Job has the name of the old one, which exists until its last pod is gone.
                exists = any(job.name == name and (not job.deleted or not job.drained) for job in self.jobs)
                if not exists:
                    self.jobs.append(self._job(replicated, name, index, total))
                    self.jobs[-1].reconcile(keeper)
                total += 1

    def _job(self, replicated: Mapping[str, Any], name: str, index: int, overall: int) -> Job:
        template = replicated["template"]
        meta = template.get("metadata") or {}
        marks = {
            f"{GROUP}/jobset-name": self.name,
            f"{GROUP}/jobset-uid": self.uid,
            f"{GROUP}/replicatedjob-name": replicated["name"],
            f"{GROUP}/replicatedjob-replicas": str(replicated.get("replicas", 1)),
            f"{GROUP}/job-index": str(index),
            f"{GROUP}/job-global-index": str(overall),
            f"{GROUP}/global-replicas": str(sum(r.get("replicas", 1) for r in self.spec["replicatedJobs"])),
            f"{GROUP}/restart-attempt": str(self.restarts),
        }
        return Job(
            name=name,
            replicated=replicated["name"],
            spec=template["spec"],
            labels={**(meta.get("labels") or {}), **marks},
            annotations={**(meta.get("annotations") or {}), **marks},
            namespace=self.namespace,
            path=f"{self.path}.spec.replicatedJobs[{replicated['name']}]",
            restart=self.restarts,
        )


def _applies(rule: Mapping[str, Any], job: Job) -> bool:
    reasons: list[str] = rule.get("onJobFailureReasons") or []
    targets: list[str] = rule.get("targetReplicatedJobs") or []
    return bool((not reasons or job.reason in reasons) and (not targets or job.replicated in targets))


def check_jobset(manifest: Any, path: str) -> None:
    """Refuse what this engine does not play, and what the webhooks of a cluster would change or refuse."""
    known(manifest, "jobset", path)
    kind = (manifest.get("apiVersion"), manifest.get("kind"))
    if kind != ("jobset.x-k8s.io/v1alpha2", "JobSet"):
        raise UnsupportedField(path, f"is not a JobSet v1alpha2 but {kind}")
    name = known(manifest["metadata"], "metadata", f"{path}.metadata")["name"]
    if not re.fullmatch("[a-z]([-a-z0-9]*[a-z0-9])?", name):
        raise UnsupportedField(f"{path}.metadata.name", f"{name!r} is not an RFC 1035 label")
    for key, value in (manifest["metadata"].get("labels") or {}).items():
        if len(value) > 63 or not re.fullmatch(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?", value):
            raise UnsupportedField(f"{path}.metadata.labels[{key}]", f"{value!r} is not a label value")
    spec = known(manifest["spec"], "spec", f"{path}.spec")
    known(spec.get("network") or {}, "network", f"{path}.spec.network")
    if spec.get("ttlSecondsAfterFinished", LEAST_TTL) < LEAST_TTL:
        raise UnsupportedField(f"{path}.spec.ttlSecondsAfterFinished", f"below {LEAST_TTL} the poll may miss the end")
    jobs = [r["name"] for r in spec["replicatedJobs"]]
    success = known(spec.get("successPolicy") or {}, "successPolicy", f"{path}.spec.successPolicy")
    failure = known(spec.get("failurePolicy") or {}, "failurePolicy", f"{path}.spec.failurePolicy")
    for rule in failure.get("rules", []):
        known(rule, "failure rule", f"{path}.spec.failurePolicy.rules[{rule['name']}]")
        if rule["action"] not in ("FailJobSet", "RestartJobSet", "RestartJobSetAndIgnoreMaxRestarts"):
            raise UnsupportedField(f"{path}.spec.failurePolicy.rules[{rule['name']}].action", rule["action"])
    for targets in (
        success.get("targetReplicatedJobs", []),
        *(r.get("targetReplicatedJobs", []) for r in failure.get("rules", [])),
    ):
        for target in targets:
            if target not in jobs:
                raise UnsupportedField(f"{path}.spec", f"targetReplicatedJobs names {target!r}, which does not exist")
    for replicated in spec["replicatedJobs"]:
        check_replicated_job(replicated, name, f"{path}.spec.replicatedJobs[{replicated['name']}]")


def check_replicated_job(replicated: Any, jobset: str, path: str) -> None:
    known(replicated, "replicatedJob", path)
    template = known(replicated["template"], "job template", f"{path}.template")
    job = known(template["spec"], "job", f"{path}.template.spec")
    if job.get("backoffLimit") != 0:
        raise UnsupportedField(f"{path}.backoffLimit", "must be 0: otherwise one rank restarts while the others hang")
    if job.get("completionMode", "Indexed") != "Indexed":
        raise UnsupportedField(f"{path}.completionMode", "must be Indexed")
    count = job.get("completions")
    if not isinstance(count, int) or count < 1 or job.get("parallelism") != count:
        raise UnsupportedField(f"{path}.parallelism", "a gang has parallelism = completions >= 1")
    policy = known(job.get("podFailurePolicy") or {}, "podFailurePolicy", f"{path}.podFailurePolicy")
    for number, rule in enumerate(policy.get("rules", [])):
        where = f"{path}.podFailurePolicy.rules[{number}]"
        known(rule, "pod rule", where)
        if rule.get("action") not in ("FailJob", "Ignore", "Count"):
            raise UnsupportedField(f"{where}.action", f"unknown action {rule.get('action')!r}")
        for condition in rule.get("onPodConditions", []):
            known(condition, "pod condition", where)
            if condition["type"] != "DisruptionTarget" or condition.get("status", "True") != "True":
                raise UnsupportedField(where, f"unknown condition {condition}")
        if "onExitCodes" in rule:
            known(rule["onExitCodes"], "exit codes", f"{where}.onExitCodes")
    pod = known(job["template"], "pod template", f"{path}.template.spec.template")
    if pod["spec"].get("restartPolicy") != "Never":
        raise UnsupportedField(
            f"{path}.restartPolicy",
            "must be an explicit Never: the webhook's default OnFailure restarts one rank in place and the gang hangs",
        )
    check_pod(pod["spec"], f"{path}.template.spec.template.spec")
    # The JobSet webhook: <set>-<job>-<index>-<pod index>-<5 random> must be a DNS label.
    highest = f"{jobset}-{replicated['name']}-{replicated.get('replicas', 1) - 1}-{count - 1}-xxxxx"
    if not rfc1123(highest):
        raise UnsupportedField(path, f"pod name {highest!r} is not a DNS label of at most 63 characters")
