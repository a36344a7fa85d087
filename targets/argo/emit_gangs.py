"""A gang: a `resource` template that creates one JobSet and waits for its end.

Takes a `Build` and a step with a gang; gives the template, and the exit handler that removes JobSets. The manifest is
compact JSON text; values known at run time stand in it only as expressions that yield JSON literals.

One ReplicatedJob with one Indexed Job of n pods: the rank is the completion index, node 0 the main node. Every fact
that makes this a gang and not n pods stands beside its field below. A retry is a new JobSet under a new name, made by
Argo, which knows waits; the JobSet itself restarts only when a host was lost, and that counts as no retry.
"""

from __future__ import annotations

from flowc.compiler.model import Build
from flowc.runtime.plan import Step
from flowc.targets.settings import deadline as deadline_of

from . import emit_pods as pods
from . import names
from .emit_pods import Doc
from .expressions import Expr, Value, manifest

NAME_INPUT = "jobset"

# Long enough for Argo to see the end, which it looks for every 5 seconds, also after an outage of its controller:
# a JobSet that is gone when Argo looks is a failed step. The exit handler removes it sooner.
KEEP_SECONDS = 3600

# Not `Always`: when only the pod that watches the JobSet is lost (an Error), the JobSet goes on, and a second one would
# hold the same hosts twice. Failed JobSets and passed deadlines are Failures.
_RETRY_POLICY = "OnFailure"

_DISRUPTED: Doc = {"type": "DisruptionTarget", "status": "True"}


def gang_template(build: Build, step: Step) -> Doc:
    """The template of a gang step."""
    deadline = deadline_of(step.settings)
    return {
        "name": names.template_name(step.name),
        "inputs": {"parameters": [{"name": NAME_INPUT, "value": _jobset_name(step)}]},
        "metadata": {"labels": pods.labels(build, step), "annotations": pods.source_place(step)},
        "serviceAccountName": names.LAUNCH_ACCOUNT,
        # Ends only the watching pod; the Job has the same limit of its own.
        **({} if deadline is None else {"activeDeadlineSeconds": str(deadline)}),
        **pods.retries(step.settings, _RETRY_POLICY, {}),
        "resource": {
            "action": "create",
            # Deleting the Workflow deletes the JobSet.
            "setOwnerReference": True,
            # `status.conditions` is a list that these expressions cannot search; JobSet has terminalState for them.
            "successCondition": "status.terminalState == Completed",
            "failureCondition": "status.terminalState == Failed",
            "manifest": manifest(_jobset(build, step)),
        },
    }


def _jobset_name(step: Step) -> str:
    """The same for the same attempt, so that a launch that is repeated finds the first one instead of doubling it.

    It starts with a letter and is short: with job name, indexes and suffix a pod's name may have 63 characters.
    Argo leaves `{{retries}}` as it stands where a template has no retryStrategy, so it appears only with one.
    """
    base = "f{{=sprig.trunc(16, sprig.sha256sum(workflow.uid + '/' + node.name))}}"
    return f"{base}-{{{{retries}}}}" if step.settings.retries else base


def _jobset(build: Build, step: Step) -> Doc:
    labels = {names.RUN_LABEL: Value((Expr("workflow.uid"),)), **pods.labels(build, step)}
    job = _job(build, step, labels)
    return {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": {"name": Value((Expr(f"inputs.parameters.{NAME_INPUT}"),)), "labels": labels},
        "spec": {
            # Nodes find each other before any of them is ready.
            "network": {"enableDNSHostnames": True, "publishNotReadyAddresses": True},
            "ttlSecondsAfterFinished": KEEP_SECONDS,
            "failurePolicy": {
                "maxRestarts": 0,
                "rules": [
                    # A preempted or evicted node is no failure of the body: start the gang again, uncounted. The name
                    # is filled in by an admission webhook in a cluster, but required by the schema.
                    {
                        "name": "host_lost",
                        "action": "RestartJobSetAndIgnoreMaxRestarts",
                        "onJobFailureReasons": ["PodFailurePolicy"],
                    }
                ],
            },
            "replicatedJobs": [{"name": names.GANG_JOB, "replicas": 1, "template": {"spec": job}}],
        },
    }


def _job(build: Build, step: Step, labels: Doc) -> Doc:
    deadline = deadline_of(step.settings)
    return {
        "parallelism": step.nodes,
        "completions": step.nodes,
        "completionMode": "Indexed",
        # The first dead node ends the gang; Kubernetes' default would replace it while the others hang.
        "backoffLimit": 0,
        **({} if deadline is None else {"activeDeadlineSeconds": deadline}),
        # Without this rule a pod that was evicted or deleted is recreated alone, and the gang hangs.
        "podFailurePolicy": {"rules": [{"action": "FailJob", "onPodConditions": [_DISRUPTED]}]},
        "template": {
            "metadata": {
                # `argo logs` finds pods by this label; Argo's controller asks for a second one and leaves them alone.
                "labels": labels | {"workflows.argoproj.io/workflow": Value((Expr("workflow.name"),))},
                "annotations": pods.source_place(step),
            },
            "spec": _pod(build, step),
        },
    }


def _pod(build: Build, step: Step) -> Doc:
    return {
        # JobSet's webhook defaults to OnFailure, which restarts one node in place while the others wait for it.
        "restartPolicy": "Never",
        "serviceAccountName": names.GANG_ACCOUNT,
        "automountServiceAccountToken": False,
        "containers": [
            {
                "name": names.MAIN_CONTAINER,
                "image": step.settings.image,
                "command": pods.command(step),
                "env": pods.environment(build, step) + pods.gang_environment(step),
                "resources": pods.resources(step.settings),
                **pods.shm_mounts(step.settings),
            }
        ],
        **pods.shm_volumes(step.settings),
    }


def exit_handler() -> Doc:
    """Removes the run's JobSets: Argo leaves them running when a workflow is stopped or passes its deadline."""
    return {
        "name": names.EXIT_HANDLER,
        "serviceAccountName": names.LAUNCH_ACCOUNT,
        # A failing exit handler would fail a run that succeeded.
        "retryStrategy": {"limit": "4", "retryPolicy": "Always", "backoff": {"duration": "10s", "factor": "2"}},
        "resource": {
            "action": "delete",
            "flags": ["jobsets.jobset.x-k8s.io", "-l", f"{names.RUN_LABEL}={{{{workflow.uid}}}}"],
        },
    }
