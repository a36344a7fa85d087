"""Stop, terminate, deadlines, exit handlers; and that no process outlives its pod."""

from __future__ import annotations

import json
import os
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from . import shim
from .cluster import Cluster
from .errors import UnsupportedField
from .samples import flow, gang, job, jobset, one, sh
from .workflow import Workflow

FOREVER = "trap 'exit 1' TERM; while :; do sleep 0.05; done"
DAG = "- {name: main, dag: {tasks: [{name: a, template: work}, {name: b, template: work, depends: a.Succeeded}]}}\n"
EXIT = sh("leave", "echo $S $F", container={"env": [{"name": "S", "value": "{{workflow.status}}"}]})
ON_EXIT = "onExit: leave"


def started(cluster: Cluster, text: str, pods: int = 1) -> Workflow:
    cluster.apply(text)
    workflow = cluster.submit("sample")
    cluster.wait_for(lambda: sum(pod.phase == "Running" for pod in cluster.pods) >= pods)
    return workflow


def exit_log(workflow: Workflow) -> str:
    return workflow.node(f"{workflow.name}.onExit").pods[0].logs().strip()


@pytest.mark.parametrize(("script", "phase"), [("true", "Succeeded"), ("exit 1", "Failed")])
def test_the_exit_handler_knows_how_it_went(cluster: Cluster, script: str, phase: str) -> None:
    cluster.apply(flow(sh("main", script) + EXIT, spec=ON_EXIT))
    workflow = cluster.submit("sample")
    assert workflow.wait(30) == phase
    assert exit_log(workflow) == phase


def test_the_exit_handler_is_told_what_failed_as_quoted_json(cluster: Cluster) -> None:
    leave = sh("leave", 'printf %s "$F"', container={"env": [{"name": "F", "value": "{{workflow.failures}}"}]})
    cluster.apply(flow(sh("main", "exit 3") + leave, spec=ON_EXIT))
    workflow = cluster.submit("sample")
    workflow.wait(30)
    failures = json.loads(json.loads(exit_log(workflow)))
    assert [(f["phase"], f["templateName"]) for f in failures] == [("Failed", "main")]


def test_a_failed_exit_handler_fails_a_workflow_that_had_succeeded(cluster: Cluster) -> None:
    cluster.apply(flow(sh("main", "true") + sh("leave", "exit 1"), spec=ON_EXIT))
    assert cluster.submit("sample").wait(30) == "Failed"


def test_the_status_is_not_known_before_the_end(cluster: Cluster) -> None:
    cluster.apply(flow(sh("main", "echo {{workflow.status}}")))
    workflow = cluster.submit("sample")
    assert workflow.wait(30) == "Error"
    assert "failed to resolve" in workflow.message


def test_stop_ends_the_pods_and_runs_the_exit_handler(cluster: Cluster) -> None:
    workflow = started(cluster, flow(DAG + sh("work", FOREVER) + EXIT, spec=ON_EXIT))
    workflow.stop()
    assert workflow.wait(30) == "Failed"
    assert "strategy:  Stop" in workflow.node("a").message
    assert exit_log(workflow) == "Failed"
    assert not any(node.display_name == "b" and node.pods for node in workflow.nodes)


def test_terminate_runs_no_exit_handler(cluster: Cluster) -> None:
    workflow = started(cluster, flow(DAG + sh("work", FOREVER) + EXIT, spec=ON_EXIT))
    workflow.terminate()
    assert workflow.wait(30) == "Failed"
    assert len(workflow.roots) == 1
    assert all(pod.done for pod in cluster.pods)


def test_stop_does_not_stop_the_exit_handler_and_terminate_does(cluster: Cluster) -> None:
    workflow = started(cluster, flow(sh("main", "true") + sh("leave", FOREVER), spec=ON_EXIT))
    cluster.wait_for(lambda: len(cluster.pods) == 2)
    workflow.stop()
    time.sleep(0.2)
    assert not workflow.done
    workflow.terminate()
    assert workflow.wait(30) == "Failed"


def test_the_deadline_of_the_flow_ends_it_and_runs_the_exit_handler(cluster: Cluster) -> None:
    spec = "{onExit: leave, activeDeadlineSeconds: 1}"
    workflow = started(cluster, flow(DAG + sh("work", FOREVER) + EXIT, spec=spec))
    assert workflow.wait(30) == "Failed"
    assert "deadline" in workflow.message
    assert exit_log(workflow) == "Failed"


def test_stop_ends_the_wait_before_a_retry(cluster: Cluster) -> None:
    strategy = {"limit": "1", "backoff": {"duration": "10000s"}}
    cluster.apply(one("exit 1", retryStrategy=strategy))
    workflow = cluster.submit("sample")
    cluster.wait_for(lambda: len(workflow.nodes) > 1 and workflow.nodes[1].fulfilled)
    workflow.stop()
    assert workflow.wait(5) == "Failed"


GANG = gang(jobset(("node", job(FOREVER, 2)), labels={"flowc/run": "{{workflow.uid}}"}))
CLEAN = "- " + json.dumps({"name": "leave", "resource": {
    "action": "delete", "flags": ["jobsets.jobset.x-k8s.io", "-l", "flowc/run={{workflow.uid}}"]}}) + "\n"  # fmt: skip


def test_a_stopped_workflow_leaves_its_gang_running(cluster: Cluster) -> None:
    workflow = started(cluster, flow(GANG), pods=2)
    workflow.stop()
    assert workflow.wait(30) == "Failed"
    assert cluster.jobsets[0].active


def test_an_exit_handler_that_deletes_by_label_ends_the_gang(cluster: Cluster) -> None:
    workflow = started(cluster, flow(GANG + CLEAN, spec=ON_EXIT), pods=2)
    workflow.stop()
    assert workflow.wait(30) == "Failed"
    cluster.wait_for(lambda: not cluster.jobsets[0].active, timeout=10)


@pytest.mark.parametrize("owned", [True, False])
def test_a_deleted_workflow_takes_what_it_owns_with_it(cluster: Cluster, owned: bool) -> None:
    template = GANG.replace('"setOwnerReference": true', f'"setOwnerReference": {str(owned).lower()}')
    workflow = started(cluster, flow(template), pods=2)
    cluster.delete_workflow(workflow)
    workflow.wait(30)
    time.sleep(0.1)
    assert cluster.jobsets[0].deleted is owned


# Processes

STRAY = textwrap.dedent(
    """
    import os, subprocess, sys, time
    # A rank as torchrun starts it: a session of its own, its parent gone, deaf to TERM.
    code = "import os, signal, time; signal.signal(15, signal.SIG_IGN); print(os.getpid(), flush=True); time.sleep(60)"
    if os.fork() == 0:
        subprocess.Popen([sys.executable, "-S", "-c", code], start_new_session=True, env={})
        os._exit(0)
    os.wait()
    """
)


def stray(ending: str) -> dict[str, object]:
    return {"command": [sys.executable, "-S", "-c", STRAY + ending]}


def stray_pid(cluster: Cluster) -> int:
    cluster.wait_for(lambda: bool(cluster.pods) and cluster.pods[0].logs().strip().isdigit())
    return int(cluster.pods[0].logs())


def test_when_the_first_process_ends_every_other_process_of_the_pod_does(cluster: Cluster) -> None:
    cluster.apply(one("", container=stray("time.sleep(0.5)")))
    workflow = cluster.submit("sample")
    pid = stray_pid(cluster)
    assert psutil.pid_exists(pid)
    assert workflow.wait(30) == "Succeeded", workflow.describe()
    assert not psutil.pid_exists(pid)


def test_stopping_a_pod_reaches_processes_that_left_its_session(cluster: Cluster) -> None:
    cluster.apply(one("", container=stray("time.sleep(60)")))
    workflow = cluster.submit("sample")
    pid = stray_pid(cluster)
    workflow.stop()
    assert workflow.wait(30) == "Failed"
    assert not psutil.pid_exists(pid)


def test_closing_the_cluster_kills_everything(tmp_path: Path) -> None:
    with Cluster(tmp_path, base_env={"PATH": os.environ["PATH"]}) as cluster:
        cluster.apply(one("", container=stray("time.sleep(60)")))
        cluster.submit("sample")
        pid = stray_pid(cluster)
        first = cluster.pods[0].pid
    assert first
    assert not psutil.pid_exists(pid)
    assert not psutil.pid_exists(first)


def test_a_stopped_process_is_killed_too(cluster: Cluster) -> None:
    workflow = started(cluster, one(FOREVER))
    cluster.pods[0].kill(19)  # SIGSTOP
    workflow.terminate()
    assert workflow.wait(30) == "Failed"


def test_the_parent_of_a_process_without_the_kernels_list_of_children() -> None:
    assert shim.parent(str(os.getpid())) == os.getppid()
    assert shim.parent("0") == 0


# The engine's own faults


def test_a_fault_of_the_engine_reaches_the_test_that_waits(cluster: Cluster) -> None:
    cluster.apply(flow(gang(jobset(("node", {**job("true", 1), "backoffLimit": 6})))))
    with pytest.raises(UnsupportedField, match="backoffLimit"):
        cluster.submit("sample").wait(30)


def test_a_timeout_shows_the_state_of_all_nodes(cluster: Cluster) -> None:
    workflow = started(cluster, one("sleep 30"))
    with pytest.raises(TimeoutError, match=r"\[Pod\] Running"):
        workflow.wait(0.05)


def test_a_cron_workflow_runs_its_template(cluster: Cluster) -> None:
    cron = {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", "metadata": {"name": "nightly"},
        "spec": {"schedules": ["0 3 * * *"], "timezone": "UTC", "workflowSpec": {
            "workflowTemplateRef": {"name": "sample"}, "arguments": {"parameters": [{"name": "p", "value": "cron"}]}}},
    }  # fmt: skip
    text = flow(sh("main", "echo {{workflow.parameters.p}}"), parameters={"p": "hand"})
    cluster.apply(text + "\n---\n" + json.dumps(cron))
    assert cluster.trigger("nightly").wait(30) == "Succeeded"
    assert cluster.pods[0].logs() == "cron\n"
