"""Gangs: a JobSet behind a resource template, its ranks as processes."""

from __future__ import annotations

import base64
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from .cluster import Cluster
from .errors import UnsupportedField
from .jobset import JobSet
from .samples import DISRUPTION_RULES, RESTART_ON_DISRUPTION, flow, gang, job, jobset
from .workflow import Workflow

SAYS_FAILED = "status.terminalState == Failed"
FOREVER = "trap 'exit 1' TERM; while :; do sleep 0.05; done"
FIRST_FAILS = f"test $JOB_COMPLETION_INDEX != 0 || exit 5; {FOREVER}"


def run(cluster: Cluster, manifest: object, expect: str = "Succeeded", **more: Any) -> Workflow:
    cluster.apply(flow(gang(manifest, **more)))  # type: ignore[arg-type]
    workflow = cluster.submit("sample")
    assert workflow.wait(30) == expect, workflow.describe()
    return workflow


def start(cluster: Cluster, manifest: object, pods: int, **more: Any) -> tuple[Workflow, JobSet]:
    cluster.apply(flow(gang(manifest, **more)))  # type: ignore[arg-type]
    workflow = cluster.submit("sample")
    cluster.wait_for(lambda: sum(pod.phase == "Running" for pod in cluster.pods) >= pods)
    return workflow, cluster.jobsets[-1]


def field(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def test_every_rank_runs_and_knows_its_index(cluster: Cluster) -> None:
    run(cluster, jobset(("node", job("echo $JOB_COMPLETION_INDEX", 3))))
    assert sorted(pod.logs() for pod in cluster.pods) == ["0\n", "1\n", "2\n"]
    assert len({pod.address for pod in cluster.pods}) == 3
    assert cluster.jobsets[0].terminal_state == "Completed"


def test_the_ranks_run_at_the_same_time(cluster: Cluster) -> None:
    workflow, _ = start(cluster, jobset(("node", job("sleep 0.5", 4))), pods=4)
    assert workflow.wait(30) == "Succeeded"


def test_names_labels_and_annotations_of_the_pods(cluster: Cluster) -> None:
    group = "jobset.sigs.k8s.io"
    marks = ("jobset-name", "replicatedjob-name", "job-index", "job-global-index", "restart-attempt", "jobset-uid")
    env = [field(f"L{i}", f"metadata.labels['{group}/{mark}']") for i, mark in enumerate(marks)]
    env += [field(f"A{i}", f"metadata.annotations['{group}/{mark}']") for i, mark in enumerate(marks)]
    env += [field("INDEX", "metadata.annotations['batch.kubernetes.io/job-completion-index']")]
    script = 'echo "$HOSTNAME $INDEX $L0 $L1 $L2 $L3 $L4 $L5"; echo "- $A0 $A1 $A2 $A3 $A4 $A5"'
    run(cluster, jobset(("head", job(script, 1, pod={"env": env})), ("worker", job(script, 1, pod={"env": env}))))
    uid = cluster.jobsets[0].uid
    assert [pod.logs() for pod in cluster.pods] == [
        f"set-head-0-0 0 set head 0 0 0 {uid}\n- set head 0 0 0 {uid}\n",
        f"set-worker-0-0 0 set worker 0 1 0 {uid}\n- set worker 0 1 0 {uid}\n",
    ]
    assert cluster.pods[0].name.startswith("set-head-0-0-")


def test_the_index_is_declared_last_so_earlier_variables_cannot_use_it(cluster: Cluster) -> None:
    env = [{"name": "RANK", "value": "$(JOB_COMPLETION_INDEX)"}]
    body = job("", 1, pod={"env": env, "command": ["sh", "-c", "echo $RANK $0", "$(JOB_COMPLETION_INDEX)"]})
    run(cluster, jobset(("node", body)))
    assert cluster.pods[0].logs() == "$(JOB_COMPLETION_INDEX) 0\n"
    assert cluster.pods[0].environment["RANK"] == "$(JOB_COMPLETION_INDEX)"


def test_one_failed_rank_ends_the_others(cluster: Cluster) -> None:
    script = FIRST_FAILS.replace("exit 5", "{ sleep 0.4; exit 5; }")
    workflow = run(cluster, jobset(("node", job(script, 3))), "Failed")
    codes = [pod.exit_code for pod in cluster.pods]
    assert codes.count(5) == 1
    assert all(code in (1, 5, 143) for code in codes)  # 143: TERM came before the trap was set
    assert (workflow.nodes[0].exit_code, cluster.jobsets[0].reason) == (64, "FailedJobs")
    assert "status.terminalState == Failed" in workflow.nodes[0].message


def test_a_rank_that_ignores_term_is_killed_after_the_grace_period(cluster: Cluster) -> None:
    script = "test $JOB_COMPLETION_INDEX != 0 || { sleep 0.4; exit 5; }; trap '' TERM; while :; do sleep 0.05; done"
    run(cluster, jobset(("node", job(script, 2))), "Failed")
    assert sorted(pod.exit_code or 0 for pod in cluster.pods) == [5, 137]


def test_a_killed_rank_fails_the_gang(cluster: Cluster) -> None:
    workflow, made = start(cluster, jobset(("node", job(FOREVER, 2))), pods=2)
    made.pods[1].kill(signal.SIGKILL)
    assert workflow.wait(30) == "Failed"
    assert made.pods[1].exit_code == 137


def test_the_deadline_of_the_job_ends_the_gang(cluster: Cluster) -> None:
    run(cluster, jobset(("node", job(FOREVER, 2, activeDeadlineSeconds=1))), "Failed")
    assert cluster.jobsets[0].jobs[0].reason == "DeadlineExceeded"


def test_the_deadline_of_the_template_ends_only_the_executor(cluster: Cluster) -> None:
    workflow = run(cluster, jobset(("node", job(FOREVER, 1))), "Failed", activeDeadlineSeconds="1")
    assert "deadline" in workflow.nodes[0].message
    assert cluster.jobsets[0].active


# Head and workers


def head_and_workers(head: str, worker: str, **spec: Any) -> dict[str, Any]:
    policy = {"operator": "All", "targetReplicatedJobs": ["head"]}
    return jobset(("head", job(head, 1)), ("worker", job(worker, 2)), successPolicy=policy, **spec)


def test_the_head_decides_and_active_workers_are_ended(cluster: Cluster) -> None:
    run(cluster, head_and_workers("sleep 0.2", FOREVER))
    cluster.wait_for(lambda: not cluster.jobsets[0].active)
    assert cluster.pods[0].exit_code == 0
    assert all(pod.exit_code in (1, 143) for pod in cluster.pods[1:])


def test_a_failed_worker_is_looked_at_before_the_finished_head(cluster: Cluster) -> None:
    run(cluster, head_and_workers("sleep 0.3", "exit 1"), "Failed")


def test_a_failure_seen_together_with_a_success_counts(tmp_path: Path) -> None:
    idle = Cluster(tmp_path, base_env={})
    idle.hold_pods(lambda pod: True)
    made = idle.create_jobset(head_and_workers("true", "true"), None)
    assert made
    made.reconcile(idle)
    assert [pod.phase for pod in made.pods] == ["Pending"] * 3
    for pod, phase in zip(made.pods, ("Succeeded", "Failed", "Succeeded"), strict=True):
        pod.phase = phase
    made.reconcile(idle)
    made.reconcile(idle)
    assert made.terminal_state == "Failed"


def test_without_a_success_policy_every_job_has_to_complete(cluster: Cluster) -> None:
    run(cluster, jobset(("head", job("true", 1)), ("worker", job("sleep 0.3", 2))))
    assert all(pod.phase == "Succeeded" for pod in cluster.pods)


# Restarts


ONCE = "if [ $A = 0 ]; then {first}; else echo again; fi"


def restartable(first: str, **spec: Any) -> dict[str, Any]:
    env = [field("A", "metadata.annotations['jobset.sigs.k8s.io/restart-attempt']")]
    body = job(ONCE.format(first=first), 2, pod={"env": env}, podFailurePolicy=DISRUPTION_RULES)
    return jobset(("node", body), **spec)


@pytest.mark.parametrize("strategy", ["Recreate", "BlockingRecreate"])
def test_a_restart_creates_every_rank_again_once_the_old_ones_are_gone(cluster: Cluster, strategy: str) -> None:
    policy = {"maxRestarts": 1, "restartStrategy": strategy}
    run(cluster, restartable(FIRST_FAILS, failurePolicy=policy))
    old, new = cluster.pods[:2], cluster.pods[2:]
    assert cluster.jobsets[0].restarts == 1
    assert [pod.logs() for pod in new] == ["again\n", "again\n"]
    assert max(pod.finished or 0 for pod in old) <= min(pod.created for pod in new)


def test_a_blocking_restart_waits_for_every_job(cluster: Cluster) -> None:
    env = [field("A", "metadata.annotations['jobset.sigs.k8s.io/restart-attempt']")]
    slow = "trap 'sleep 0.2; exit 1' TERM; while :; do sleep 0.05; done"
    for strategy, waits in (("Recreate", False), ("BlockingRecreate", True)):
        manifest = jobset(
            ("head", job(ONCE.format(first="sleep 0.3; exit 1"), 1, pod={"env": env})),
            ("worker", job(ONCE.format(first=slow), 1, pod={"env": env})),
            name=strategy.lower(), failurePolicy={"maxRestarts": 1, "restartStrategy": strategy},
        )  # fmt: skip
        run(cluster, manifest)
        head, worker = (j for j in cluster.jobsets[-1].jobs if j.restart == 0)
        again = next(j for j in cluster.jobsets[-1].jobs if j.restart == 1 and j.replicated == "head")
        assert (again.pods[0].created >= (worker.pods[0].finished or 0)) is waits
        assert again.pods[0].created >= (head.pods[0].finished or 0)


def test_restarts_are_counted_up_to_the_limit(cluster: Cluster) -> None:
    run(cluster, jobset(("node", job("exit 1", 1)), failurePolicy={"maxRestarts": 2}), "Failed")
    made = cluster.jobsets[0]
    assert (made.restarts, made.reason, len(made.pods)) == (2, "ReachedMaxRestarts", 3)


def test_a_rule_can_fail_at_once(cluster: Cluster) -> None:
    rules = [{"name": "no", "action": "FailJobSet", "onJobFailureReasons": ["BackoffLimitExceeded"]}]
    run(cluster, jobset(("node", job("exit 1", 1)), failurePolicy={"maxRestarts": 2, "rules": rules}), "Failed")
    assert (cluster.jobsets[0].restarts, cluster.jobsets[0].reason) == (0, "FailJobSetFailurePolicyAction")


def test_a_disruption_restarts_without_being_counted(cluster: Cluster) -> None:
    cluster.apply(flow(gang(restartable(FOREVER, failurePolicy=RESTART_ON_DISRUPTION))))
    workflow = cluster.submit("sample")
    cluster.wait_for(lambda: len(cluster.pods) == 2 and all(p.pid and p.phase == "Running" for p in cluster.pods))
    cluster.disrupt_pod(cluster.pods[1])
    assert workflow.wait(30) == "Succeeded", workflow.describe()
    made = cluster.jobsets[0]
    assert (made.restarts, made.restarts_counted, made.jobs[0].reason) == (1, 0, "PodFailurePolicy")


def test_a_failure_is_no_disruption(cluster: Cluster) -> None:
    run(cluster, restartable("exit 1", failurePolicy=RESTART_ON_DISRUPTION), "Failed")
    assert cluster.jobsets[0].reason == "ReachedMaxRestarts"


def test_exit_codes_can_be_told_apart(cluster: Cluster) -> None:
    rules = [{"action": "Ignore", "onExitCodes": {"operator": "In", "values": [42]}}]
    rules += [{"action": "FailJob", "onExitCodes": {"operator": "NotIn", "values": [1]}}]
    for code, reason, pods in ((42, "", 2), (7, "PodFailurePolicy", 1), (1, "BackoffLimitExceeded", 1)):
        script = f"test -e ../../once{code} && exit $((CODE == 42 ? 0 : {code})); touch ../../once{code}; exit {code}"
        body = job(script.replace("CODE", str(code)), 1, podFailurePolicy={"rules": rules})
        run(cluster, jobset(("node", body), name=f"s{code}"), "Succeeded" if code == 42 else "Failed")
        assert (cluster.jobsets[-1].jobs[0].reason, len(cluster.jobsets[-1].pods)) == (reason, pods)


# The resource template


def test_attempts_of_a_gang_have_names_of_their_own(cluster: Cluster) -> None:
    name = "f{{=sprig.trunc(16, sprig.sha256sum(workflow.uid + '/' + node.name))}}-{{retries}}"
    workflow = run(cluster, jobset(("node", job("exit 1", 1)), name=name), "Failed", retryStrategy={"limit": "1"})
    first, second = (made.name for made in cluster.jobsets)
    assert (first[:-1], first[-1], second[-1]) == (second[:-1], "0", "1")
    assert [attempt.jobset for attempt in workflow.nodes[0].attempts] == cluster.jobsets


def test_a_name_that_is_taken_fails_the_node(cluster: Cluster) -> None:
    workflow = run(cluster, jobset(("node", job("exit 1", 1))), "Failed", retryStrategy={"limit": "1"})
    assert [a.message.partition(")")[2] for a in workflow.nodes[0].attempts][1] == (
        ": jobsets.jobset.x-k8s.io already exists"
    )


def test_a_literal_retries_tag_breaks_the_name(cluster: Cluster) -> None:
    with pytest.raises(UnsupportedField, match="RFC 1035"):
        run(cluster, jobset(("node", job("true", 1)), name="s-{{retries}}"))


def test_values_enter_the_manifest_as_json(cluster: Cluster) -> None:
    hostile = 'a"}],"x":[{"y":"\n- z: {{workflow.name}} \x1b'
    env = [{"name": "P", "value": "@P@"}]
    manifest = json.dumps(jobset(("node", job('printf %s "$P" | base64 -w0', 1, pod={"env": env}))))
    manifest = manifest.replace('"@P@"', "{{=toJson(workflow.parameters.p)}}")
    for name in ("parallelism", "completions"):
        manifest = manifest.replace(f'"{name}": 1', f'"{name}": {{{{=asInt(workflow.parameters.n)}}}}')
    cluster.apply(flow(gang(manifest), parameters={"p": "", "n": "2"}))
    workflow = cluster.submit("sample", {"p": hostile})
    assert workflow.wait(30) == "Succeeded", workflow.describe()
    # Everything arrives, except what Argo scanned again: the escaped text still held a tag.
    expected = hostile.replace("{{workflow.name}}", workflow.name)
    assert [base64.b64decode(pod.logs()).decode() for pod in cluster.pods] == [expected] * 2


def test_a_raw_value_breaks_out_of_the_manifest(cluster: Cluster) -> None:
    manifest = jobset(("node", job("echo $P", 1, pod={"env": [{"name": "P", "value": "{{workflow.parameters.p}}"}]})))
    cluster.apply(flow(gang(manifest), parameters={"p": ""}))
    injected = cluster.submit("sample", {"p": 'x"},{"name":"EVIL","value":"1'})
    assert injected.wait(30) == "Succeeded"
    assert cluster.pods[0].environment["EVIL"] == "1"


def test_without_conditions_the_node_ends_at_once(cluster: Cluster) -> None:
    body = {"action": "create", "manifest": json.dumps(jobset(("node", job("sleep 0.3", 1))))}
    cluster.apply(flow("- " + json.dumps({"name": "main", "resource": body})))
    assert cluster.submit("sample").wait(30) == "Succeeded"
    assert cluster.jobsets[0].active


@pytest.mark.parametrize(
    ("conditions", "phase"),
    [
        ({"failureCondition": "status.restarts == 7,status.terminalState == Failed"}, "Failed"),  # any of them fails
        ({"successCondition": "status.restarts == 0,status.terminalState == Failed"}, "Succeeded"),  # all have to hold
        ({"successCondition": "status.restarts != 1,status.nothing != 1", "failureCondition": SAYS_FAILED}, "Failed"),
    ],
)
def test_parts_of_a_condition(cluster: Cluster, conditions: dict[str, str], phase: str) -> None:
    body = {"action": "create", "manifest": json.dumps(jobset(("node", job("exit 1", 1)))), **conditions}
    cluster.apply(flow("- " + json.dumps({"name": "main", "resource": body})))
    assert cluster.submit("sample").wait(30) == phase


def test_a_set_that_disappears_is_a_failure(cluster: Cluster) -> None:
    workflow, made = start(cluster, jobset(("node", job(FOREVER, 1))), pods=1)
    cluster.delete_jobset(made)
    assert workflow.wait(30) == "Failed"
    assert "not found" in workflow.nodes[0].message


def test_delete_by_label(cluster: Cluster) -> None:
    flags = ["jobsets.jobset.x-k8s.io", "-l", "flowc/run={{workflow.uid}}"]
    clean = "- " + json.dumps({"name": "clean", "resource": {"action": "delete", "flags": flags}}) + "\n"
    mine = jobset(("node", job(FOREVER, 1)), name="mine", labels={"flowc/run": "{{workflow.uid}}"})
    other = jobset(("node", job(FOREVER, 1)), name="other", labels={"flowc/run": "other"})
    join = "{name: c, template: clean, depends: a.Succeeded && b.Succeeded}"
    dag = f"- {{name: main, dag: {{tasks: [{{name: a, template: a}}, {{name: b, template: b}}, {join}]}}}}\n"
    made = [json.dumps({"name": n, "resource": {"action": "create", "manifest": json.dumps(m)}})
            for m, n in ((mine, "a"), (other, "b"))]  # fmt: skip
    cluster.apply(flow(dag + clean + "".join(f"- {line}\n" for line in made)))
    workflow = cluster.submit("sample")
    assert workflow.wait(30) == "Succeeded", workflow.describe()
    assert {s.name: s.deleted for s in cluster.jobsets} == {"mine": True, "other": False}


# A cluster without room, and a lost executor


def test_half_a_gang_may_wait_for_room(cluster: Cluster) -> None:
    hold = cluster.hold_pods(lambda pod: pod.labels["batch.kubernetes.io/job-completion-index"] == "1")
    workflow, made = start(cluster, jobset(("node", job("sleep 0.1", 2))), pods=1)
    cluster.wait_for(lambda: made.pods[0].done)
    assert (made.pods[1].phase, workflow.phase) == ("Pending", "Running")
    hold.release()
    assert workflow.wait(30) == "Succeeded"


def test_half_a_gang_that_waits_too_long_is_ended_by_the_job(cluster: Cluster) -> None:
    cluster.hold_pods(lambda pod: pod.labels["batch.kubernetes.io/job-completion-index"] == "1")
    run(cluster, jobset(("node", job(FOREVER, 2, activeDeadlineSeconds=1))), "Failed")
    assert cluster.pods[1].pid is None


def test_a_lost_executor_leaves_its_gang_running(cluster: Cluster) -> None:
    workflow, made = start(cluster, jobset(("node", job(FOREVER, 1))), pods=1)
    workflow.nodes[0].executor_lost = True
    assert workflow.wait(30) == "Error"
    assert made.active


# What the engine refuses, because it hangs or is refused in a real cluster


def changed(**job_fields: Any) -> dict[str, Any]:
    body = {**job("true", 1), **job_fields}
    return jobset(("node", {k: v for k, v in body.items() if v is not None}))


def pod_field(name: str, value: Any) -> dict[str, Any]:
    body = job("true", 1)
    body["template"]["spec"][name] = value
    return jobset(("node", {**body, "template": {"spec": {k: v for k, v in body["template"]["spec"].items() if v}}}))


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        (pod_field("restartPolicy", None), "explicit Never"),
        (pod_field("restartPolicy", "OnFailure"), "explicit Never"),
        (pod_field("hostNetwork", True), "unknown field of pod spec"),
        (pod_field("nodeNam", "x"), "nodeNam"),
        (changed(backoffLimit=None), "must be 0"),
        (changed(backoffLimit=3), "must be 0"),
        (changed(parallelism=2), "parallelism = completions"),
        (changed(completions=None, parallelism=None), "parallelism = completions"),
        (changed(completionMode="NonIndexed"), "must be Indexed"),
        (changed(ttlSecondsAfterFinished=1), "unknown field of job"),
        (jobset(("node", job("true", 1)), name="Set"), "RFC 1035"),
        (jobset(("node", job("true", 1)), name="0set"), "RFC 1035"),
        (jobset(("node", job("true", 1)), name="s" * 50), "at most 63"),
        (jobset(("node", job("true", 1)), labels={"a": "x" * 64}), "not a label value"),
        (jobset(("node", job("true", 1)), coordinator={"replicatedJob": "node"}), "unknown field of spec"),
        (jobset(("node", job("true", 1)), ttlSecondsAfterFinished=0), "below 600"),
        (jobset(("node", job("true", 1)), successPolicy={"operator": "All", "targetReplicatedJobs": ["x"]}), "'x'"),
        (jobset(("node", job("true", 1)), failurePolicy={"rules": [{"action": "FailJobSet"}]}), "'name' is a required"),
        (jobset(("node", job("true", 1)), failurePolicy={"rules": [{"name": "r", "action": "RestartJob"}]}), "tartJob"),
        (jobset(("node", {**job("true", 1), "parallelism": "1"})), "'1' is not"),
    ],
)
def test_a_manifest_is_refused(cluster: Cluster, manifest: object, reason: str) -> None:
    with pytest.raises(UnsupportedField, match=reason):
        run(cluster, manifest)


@pytest.mark.parametrize(
    "flags",
    [[], ["pods", "-l", "a=b"], ["jobsets"], ["jobsets", "--all"], ["jobsets", "-l", "a in (b)"], ["jobsets", "name"]],
)
def test_a_delete_is_refused(cluster: Cluster, flags: list[str]) -> None:
    cluster.apply(flow("- " + json.dumps({"name": "main", "resource": {"action": "delete", "flags": flags}})))
    with pytest.raises(UnsupportedField, match="flags"):
        cluster.submit("sample").wait(30)


def test_a_fault_in_a_pod_of_a_gang_reaches_the_test(cluster: Cluster) -> None:
    env = [{"name": "S", "valueFrom": {"secretKeyRef": {"name": "db", "key": "nope"}}}]
    with pytest.raises(UnsupportedField, match="gave no db/nope"):
        run(cluster, jobset(("node", job("true", 1, pod={"env": env}))))


def test_two_documents_in_a_manifest_are_an_error(cluster: Cluster) -> None:
    workflow = run(cluster, "---\na: 1\n---\nb: 2\n", "Error")
    assert "2 documents" in workflow.nodes[0].message


def test_the_environment_of_a_pod_stays_out_of_another(cluster: Cluster) -> None:
    run(cluster, jobset(("node", job("env | grep -c INDEX", 2))))
    assert {pod.logs() for pod in cluster.pods} == {"1\n"}
