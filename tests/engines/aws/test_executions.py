"""Compiled documents run: jobs through `submitJob.sync`, gangs, retries, catches, choices, maps, stops, S3."""

from __future__ import annotations

import json
import sys
from typing import Any

from .samples import chain, container, gang, submit, template
from .stack import Aws, Execution, Stack

PYTHON = sys.executable

RENDEZVOUS = """
import os, socket, sys
index = int(os.environ["AWS_BATCH_JOB_NODE_INDEX"]); count = int(os.environ["AWS_BATCH_JOB_NUM_NODES"])
if index == 0:
    assert "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS" not in os.environ
    server = socket.create_server((os.environ["OWN_ADDRESS"], 29500))
    calls = [server.accept()[0] for _ in range(count - 1)]
    print(sorted(call.recv(100).decode() for call in calls))
    for call in calls: call.sendall(b"go")
else:
    import time
    main = os.environ["AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"]
    call = socket.create_connection((main, 29500), source_address=(os.environ["OWN_ADDRESS"], 0))
    call.sendall(os.environ["AWS_BATCH_JOB_ID"].rpartition("#")[2].encode())
    assert call.recv(2) == b"go"
    time.sleep(60)
"""


def deploy(aws: Aws, machine: dict[str, Any], **definitions: dict[str, Any]) -> Stack:
    return aws.deploy(json.dumps(template(machine, **definitions)), {"JobQueue": aws.queue_arn})


def run(aws: Aws, machine: dict[str, Any], given: dict[str, Any] | None = None, **definitions: Any) -> Execution:
    execution = deploy(aws, machine, **definitions).start(given or {})
    execution.wait(30)
    return execution


def test_a_container_job_runs_and_the_machine_goes_on(aws: Aws) -> None:
    execution = run(aws, chain(Work=submit("Work")), {"kept": 1}, Work=container("echo", "hello"))
    assert execution.status == "SUCCEEDED", execution.explain()
    assert execution.output == {"kept": 1}
    assert aws.batch.job("Work").nodes[0].output() == "hello\n"


def test_the_answer_of_a_job_is_its_record_in_pascal_case(aws: Aws) -> None:
    execution = run(aws, chain(Work=submit("Work", ResultPath="$.job")), Work=container("true"))
    record = execution.output["job"]
    assert record["Status"] == "SUCCEEDED"
    assert record["Attempts"][0]["Container"]["ExitCode"] == 0
    assert {"Name": "MANAGED_BY_AWS", "Value": "STARTED_BY_STEP_FUNCTIONS"} in record["Container"]["Environment"]


def test_a_failed_job_fails_the_machine_with_the_record_as_cause(aws: Aws) -> None:
    execution = run(aws, chain(Work=submit("Work")), Work=container("sh", "-c", "exit 3"))
    assert (execution.status, execution.error) == ("FAILED", "States.TaskFailed")
    assert json.loads(execution.cause or "")["Attempts"][0]["Container"]["ExitCode"] == 3


def test_four_nodes_meet_over_tcp(aws: Aws) -> None:
    execution = run(aws, chain(Train=submit("Train")), Train=gang(4, PYTHON, "-c", RENDEZVOUS))
    job = aws.batch.job("Train")
    assert execution.status == "SUCCEEDED", job.logs()
    assert job.nodes[0].output() == "['1', '2', '3']\n"
    assert len({node.context.address for node in job.nodes}) == 4
