"""The local Batch: what it refuses, how it runs jobs and gangs, and that it leaves nothing behind."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.exceptions
import psutil
import pytest

from .batch import Batch
from .batch_jobs import Job
from .batch_nodes import NodeContext
from .batch_rules import BatchError, node_range, retry_wanted, substitute
from .server import client

PYTHON = sys.executable
SIZE = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]
Json = dict[str, Any]


def base_env(context: NodeContext) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "OWN_ADDRESS": context.address}


@pytest.fixture
def batch(tmp_path: Path) -> Iterator[Batch]:
    service = Batch(tmp_path, base_env=base_env, secrets={"arn:secret": "hush"}, time_scale=0.005, seed=3)
    service.queues.add("queue")
    yield service
    service.close()
    assert service.processes() == []


def container(*command: str, **more: Any) -> Json:
    return {"image": "test", "command": list(command), "resourceRequirements": SIZE, **more}


def single(*command: str, **more: Any) -> Json:
    return {"jobDefinitionName": "def", "type": "container", "containerProperties": container(*command), **more}


def gang(count: int, *command: str, ranges: tuple[str, ...] = ("0:",), main: int = 0, **more: Any) -> Json:
    groups = [{"targetNodes": text, "container": container(*command)} for text in ranges]
    return {
        "jobDefinitionName": "def",
        "type": "multinode",
        **more,
        "nodeProperties": {"numNodes": count, "mainNode": main, "nodeRangeProperties": groups},
    }


def submit(batch: Batch, definition: Json, **more: Any) -> Job:
    api = client("batch", batch.url)
    arn = api.register_job_definition(**definition)["jobDefinitionArn"]
    api.submit_job(jobName="job", jobQueue="queue", jobDefinition=arn, **more)
    return batch.jobs[-1]


def refused(batch: Batch, call: str, **request: Any) -> str:
    """The message of the ClientException that the call ends in."""
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        getattr(client("batch", batch.url), call)(**request)
    assert raised.value.response["Error"]["Code"] == "ClientException"
    return str(raised.value.response["Error"]["Message"])


# -- what is refused ----------------------------------------------------------------------------------------------

WRONG_DEFINITIONS: dict[str, tuple[Json, str]] = {
    "no image": ({**single(), "containerProperties": {"resourceRequirements": SIZE}}, "image"),
    "no memory": ({**single(), "containerProperties": {"image": "i", "resourceRequirements": SIZE[:1]}}, "MEMORY"),
    "name": ({**single(), "jobDefinitionName": "-x"}, "name"),
    "reserved variable": (
        {**single(), "containerProperties": container(environment=[{"name": "AWS_BATCH_X", "value": ""}])},
        "AWS_BATCH",
    ),
    "eleven attempts": (single(retryStrategy={"attempts": 11}), "1 to 10"),
    "short timeout": (single(timeout={"attemptDurationSeconds": 59}), "at least 60"),
    "unknown type": ({**single(), "type": "other"}, "none of"),
    "24 KiB": (single("x" * 24_600), "24 KiB"),
    "node 2 uncovered": (gang(3, ranges=("0:1",)), r"[2]"),
    "main outside": (gang(2, main=2), "mainNode"),
    "range outside": (gang(2, ranges=("0:", "1:2")), "leaves"),
    "six groups": (gang(6, ranges=("0:0", "1:1", "2:2", "3:3", "4:4", "5:5")), "groups"),
    "gang on Fargate": (gang(2, platformCapabilities=["FARGATE"]), "Fargate"),
    "glob inside": (
        single(retryStrategy={"attempts": 2, "evaluateOnExit": [{"onReason": "a*b", "action": "EXIT"}]}),
        "onReason",
    ),
}


@pytest.mark.parametrize("case", WRONG_DEFINITIONS)
def test_a_wrong_definition_is_refused(batch: Batch, case: str) -> None:
    definition, word = WRONG_DEFINITIONS[case]
    assert word in refused(batch, "register_job_definition", **definition)


WRONG_SUBMISSIONS: dict[str, tuple[Json, Json, str]] = {
    "container overrides on a gang": (gang(2), {"containerOverrides": {}}, "not valid for multi-node"),
    "node overrides on a container": (single(), {"nodeOverrides": {}}, "only valid for multi-node"),
    "range written otherwise": (
        gang(2),
        {"nodeOverrides": {"nodePropertyOverrides": [{"targetNodes": "0:1"}]}},
        "should match",
    ),
    "size of a closed range": (gang(2, ranges=("0:1",)), {"nodeOverrides": {"numNodes": 3}}, "open upper boundary"),
    "size within a lower boundary": (
        gang(3, ranges=("0:1", "2:")),
        {"nodeOverrides": {"numNodes": 2}},
        "lower boundary",
    ),
    "queue": (single(), {"jobQueue": "other"}, "JobQueue"),
    "definition": (single(), {"jobDefinition": "other"}, "not found"),
    "30 KiB": (single(), {"parameters": {"a": "x" * 31_000}}, "30 KiB"),
    "name": (single(), {"jobName": "a b"}, "Job name"),
}


@pytest.mark.parametrize("case", WRONG_SUBMISSIONS)
def test_a_wrong_submission_is_refused(batch: Batch, case: str) -> None:
    definition, request, word = WRONG_SUBMISSIONS[case]
    client("batch", batch.url).register_job_definition(**definition)
    asked = {"jobName": "job", "jobQueue": "queue", "jobDefinition": "def", **request}
    assert word in refused(batch, "submit_job", **asked)
    assert batch.jobs == []


def test_members_that_the_api_does_not_have_are_refused(batch: Batch) -> None:
    with pytest.raises(BatchError, match="Unknown parameter"):
        batch.call("SubmitJob", {"jobName": "a", "jobQueue": "queue", "jobDefinition": "def", "JobName": "a"})
    with pytest.raises(BatchError, match="type: <class 'int'>"):
        batch.call("SubmitJob", {"jobName": "a", "jobQueue": "queue", "jobDefinition": "d", "parameters": {"n": 1}})


def test_overrides_over_8192_characters_are_accepted_and_fail_the_job(batch: Batch) -> None:
    environment = [{"name": f"V{n}", "value": "x" * 1000} for n in range(8)]
    job = submit(batch, single("true"), containerOverrides={"environment": environment})
    assert job.wait() == "FAILED"
    assert "8192" in job.status_reason


def test_injected_faults_end_after_their_calls(batch: Batch) -> None:
    api = client("batch", batch.url)
    batch.fail_next(1, "ServerException", operation="DescribeJobs")
    with pytest.raises(api.exceptions.ServerException):
        api.describe_jobs(jobs=["x"])
    assert api.describe_jobs(jobs=["x"])["jobs"] == []


# -- rules without a service --------------------------------------------------------------------------------------


def test_node_ranges_count_as_batch_counts_them() -> None:
    assert [list(node_range(text, 4)) for text in ("0:", ":1", "1:2", "3")] == [[0, 1, 2, 3], [0, 1], [1, 2], [3]]


def test_only_whole_arguments_with_a_value_are_substituted() -> None:
    command = ["a", "Ref::x", "--x=Ref::x", "Ref::missing"]
    assert substitute(command, {"x": "Ref::y", "y": "no"}) == ["a", "Ref::y", "--x=Ref::x", "Ref::missing"]


def test_a_failure_that_no_rule_names_is_retried() -> None:
    lost = {
        "attempts": 3,
        "evaluateOnExit": [{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}],
    }
    assert retry_wanted(lost, 1, None, "", "Host EC2 (instance i-1) terminated.")
    assert not retry_wanted(lost, 1, 1, "", "Essential container in task exited")
    assert not retry_wanted(lost, 3, None, "", "Host EC2 (instance i-1) terminated.")
    unnamed = {"attempts": 2, "evaluateOnExit": [{"onExitCode": "7", "action": "EXIT"}]}
    assert retry_wanted(unnamed, 1, 1, "", "")
    assert not retry_wanted(unnamed, 1, 7, "", "")


# -- how jobs run -------------------------------------------------------------------------------------------------


def test_a_node_sees_what_documents_batch_and_test_give_and_nothing_else(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAKED", "yes")
    definition = single(PYTHON, "-c", "import os, json; print(json.dumps(dict(os.environ)))")
    definition["containerProperties"]["environment"] = [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]
    definition["containerProperties"]["secrets"] = [{"name": "TOKEN", "valueFrom": "arn:secret"}]
    job = submit(batch, definition, containerOverrides={"environment": [{"name": "B", "value": "2"}]})
    assert job.wait() == "SUCCEEDED", job.logs()
    seen = json.loads(job.nodes[0].output())
    assert seen.pop("PATH") == os.environ["PATH"]
    assert seen.pop("OWN_ADDRESS").startswith("127.")
    seen.pop("LC_CTYPE", None)  # python's own
    assert seen == {
        "A": "1",
        "B": "2",
        "TOKEN": "hush",
        "AWS_BATCH_JOB_ID": job.id,
        "AWS_BATCH_JOB_ATTEMPT": "1",
        "AWS_BATCH_JQ_NAME": "queue",
        "AWS_BATCH_CE_NAME": "test-compute-environment",
    }


def test_parameters_of_the_request_win_over_those_of_the_definition(batch: Batch) -> None:
    definition = single("echo", "Ref::a", "Ref::b", "Ref::c", parameters={"a": "1", "b": "1"})
    job = submit(batch, definition, parameters={"b": "2"})
    assert job.wait() == "SUCCEEDED"
    assert job.nodes[0].output() == "1 2 Ref::c\n"


def test_a_secret_that_does_not_exist_fails_the_job(batch: Batch) -> None:
    definition = single("true")
    definition["containerProperties"]["secrets"] = [{"name": "TOKEN", "valueFrom": "arn:other"}]
    job = submit(batch, definition)
    assert job.wait() == "FAILED"
    assert "arn:other" in job.status_reason


def test_a_command_that_does_not_exist_fails_without_an_exit_code(batch: Batch) -> None:
    job = submit(batch, single("no-such-program"))
    assert job.wait() == "FAILED"
    record = client("batch", batch.url).describe_jobs(jobs=[job.id])["jobs"][0]
    assert "exitCode" not in record["attempts"][0]["container"]
    assert "CannotStartContainerError" in record["attempts"][0]["container"]["reason"]


def test_a_job_passes_through_every_status(batch: Batch) -> None:
    batch.hold("job")
    job = submit(batch, single("true"))
    time.sleep(0.1)
    assert job.status == "RUNNABLE"
    batch.release()
    job.wait()
    assert job.history == ["SUBMITTED", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]


def test_a_job_that_waits_for_capacity_can_be_terminated(batch: Batch) -> None:
    batch.hold()
    job = submit(batch, single("true"))
    client("batch", batch.url).terminate_job(jobId=job.id, reason="enough")
    assert job.wait() == "FAILED"
    assert (job.status_reason, job.attempts) == ("enough", [])


def test_a_timeout_ends_the_attempt_and_is_not_retried(batch: Batch) -> None:
    definition = single("sleep", "60", timeout={"attemptDurationSeconds": 60}, retryStrategy={"attempts": 3})
    job = submit(batch, definition)
    assert job.wait() == "FAILED"
    assert (len(job.attempts), job.status_reason) == (1, "Job attempt duration exceeded timeout")


def test_a_lost_host_reports_no_exit_code_and_is_retried_by_its_rule(batch: Batch) -> None:
    rules = [{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}]
    code = "import os, time; time.sleep(60 if os.environ['AWS_BATCH_JOB_ATTEMPT'] == '1' else 0)"
    job = submit(batch, single(PYTHON, "-c", code, retryStrategy={"attempts": 2, "evaluateOnExit": rules}))
    job.wait_nodes()
    job.lose_host(0)
    assert job.wait() == "SUCCEEDED"
    first, second = job.describe()["attempts"]
    assert "exitCode" not in first["container"]
    assert second["container"]["exitCode"] == 0
    assert job.attempts[0].status_reason.startswith("Host EC2")


# -- gangs --------------------------------------------------------------------------------------------------------

GATE = "while [ ! -e go ]; do sleep 0.02; done"


STUBBORN = "trap '' TERM; echo ready; while true; do sleep 0.05; done"


def open_gate(job: Job, *indices: int) -> None:
    """Lets nodes that wait at the gate go on, once all nodes of the attempt run."""
    job.wait_nodes()
    for index in indices or (job.main_index,):
        (job.nodes[index].context.folder / "go").touch()


def wait_output(job: Job, index: int, word: str) -> None:
    while word not in job.nodes[index].output():
        assert job.nodes[index].running, job.logs()
        time.sleep(0.01)


def node_script(main: str, child: str) -> tuple[str, ...]:
    return ("sh", "-c", f'if [ "$AWS_BATCH_JOB_NODE_INDEX" = 0 ]; then {main}; else {child}; fi')


def test_nodes_know_their_place_and_only_children_the_main_address(batch: Batch) -> None:
    prefix = "$AWS_BATCH_JOB"
    show = f"echo {prefix}_ID {prefix}_NUM_NODES {prefix}_MAIN_NODE_INDEX"
    main = "${AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS-none}"
    job = submit(batch, gang(3, "sh", "-c", f"{show} {main}; {GATE}"))
    job.wait_nodes()
    for index in range(3):
        wait_output(job, index, "\n")
    open_gate(job)
    assert job.wait() == "SUCCEEDED", job.logs()
    address = job.nodes[0].context.address
    assert [node.output().split() for node in job.nodes] == [
        [f"{job.id}#{index}", "3", "0", "none" if index == 0 else address] for index in range(3)
    ]


def test_children_start_after_main_and_not_in_order(batch: Batch) -> None:
    order: list[int] = []
    batch.before_child = lambda context: order.append(context.index)
    job = submit(batch, gang(6, *node_script(GATE, "sleep 60")))
    job.wait_nodes()
    started = {node.index: psutil.Process(node.pid).create_time() for node in job.nodes}
    assert min(started, key=lambda index: started[index]) == 0
    assert sorted(order) == [1, 2, 3, 4, 5]
    assert order != sorted(order)  # seed 3
    open_gate(job)
    assert job.wait() == "SUCCEEDED"


def test_a_dead_child_changes_nothing(batch: Batch) -> None:
    job = submit(batch, gang(3, *node_script(GATE, "sleep 60")))
    job.wait_nodes()
    job.kill_node(2)
    time.sleep(0.2)
    assert job.status == "RUNNING"
    open_gate(job)
    assert job.wait() == "SUCCEEDED"
    assert job.nodes[2].exit_code == 137


def test_main_decides_and_its_exit_stops_the_children(batch: Batch) -> None:
    job = submit(batch, gang(3, *node_script(f"{GATE}; exit 5", "sleep 60")))
    open_gate(job)
    assert job.wait() == "FAILED"
    record = client("batch", batch.url).describe_jobs(jobs=[job.id, f"{job.id}#1"])["jobs"]
    assert "container" not in record[0]  # of a multi-node job only attempts hold the exit code
    assert record[0]["attempts"][-1]["container"]["exitCode"] == 5
    assert record[1]["nodeDetails"] == {"nodeIndex": 1, "isMainNode": False}
    assert record[1]["container"]["exitCode"] == 143
    assert batch.processes() == []


def test_a_child_that_ignores_term_is_killed_after_the_grace(batch: Batch) -> None:
    job = submit(batch, gang(2, *node_script(GATE, STUBBORN)))
    job.wait_nodes()
    wait_output(job, 1, "ready")
    open_gate(job)
    assert job.wait() == "SUCCEEDED"
    assert job.nodes[1].exit_code == 137


def test_another_main_node_is_another_supervisor(batch: Batch) -> None:
    job = submit(batch, gang(2, "sh", "-c", "test $AWS_BATCH_JOB_NODE_INDEX = 1 && exit 0; sleep 60", main=1))
    assert job.wait() == "SUCCEEDED", job.logs()


def test_nested_ranges_and_overrides_give_each_node_its_container(batch: Batch) -> None:
    definition = gang(3, "sh", "-c", f"echo $ROLE; {GATE}", ranges=("0:", "0:0"))
    overrides = {
        "numNodes": 4,
        "nodePropertyOverrides": [
            {"targetNodes": "0:", "containerOverrides": {"environment": [{"name": "ROLE", "value": "worker"}]}},
            {"targetNodes": "0:0", "containerOverrides": {"environment": [{"name": "ROLE", "value": "head"}]}},
        ],
    }
    job = submit(batch, definition, nodeOverrides=overrides)
    job.wait_nodes()
    for index in range(4):
        wait_output(job, index, "\n")
    open_gate(job)
    assert job.wait() == "SUCCEEDED"
    assert [node.output().strip() for node in job.nodes] == ["head", "worker", "worker", "worker"]


def test_a_new_attempt_is_a_fresh_gang_while_the_old_one_may_still_be_dying(batch: Batch) -> None:
    batch.time_scale = 0.02  # a grace of 0.6 s
    main = f"test $AWS_BATCH_JOB_ATTEMPT = 2 || {{ {GATE}; exit 1; }}"
    job = submit(batch, gang(2, *node_script(main, STUBBORN), retryStrategy={"attempts": 2}))
    job.wait_nodes()
    wait_output(job, 1, "ready")
    old = job.nodes[1]
    open_gate(job)
    while len(job.attempts) < 2:
        time.sleep(0.002)
    assert old.running
    assert job.wait() == "SUCCEEDED"
    assert len({node.context.address for node in job.all_nodes}) == 4
    assert batch.processes() == []


DETACH = """
import subprocess, sys
for scrubbed in (None, {}):
    subprocess.Popen(["sleep", "61"], start_new_session=True, env=scrubbed)
print("started", flush=True)
__import__("time").sleep(float(sys.argv[1]))
"""


@pytest.mark.parametrize("ending", ["exits", "is terminated"])
def test_descendants_in_sessions_of_their_own_do_not_outlive_the_job(batch: Batch, ending: str) -> None:
    job = submit(batch, single(PYTHON, "-c", DETACH, "1" if ending == "exits" else "60"))
    (node,) = job.wait_nodes()
    while "started" not in node.output():
        time.sleep(0.01)
    strays = psutil.Process(node.pid).children(recursive=True)
    assert len(strays) == 2
    if ending == "is terminated":
        client("batch", batch.url).terminate_job(jobId=job.id, reason="enough")
    job.wait()
    assert [stray for stray in strays if stray.is_running() and stray.status() != psutil.STATUS_ZOMBIE] == []
