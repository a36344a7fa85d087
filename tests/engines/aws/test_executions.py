"""Compiled documents run: jobs through `submitJob.sync`, gangs, retries, catches, choices, maps, stops, S3."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import base_env
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
    while True:
        try:
            call = socket.create_connection((main, 29500), source_address=(os.environ["OWN_ADDRESS"], 0))
            break
        except ConnectionRefusedError:  # children start when the main node runs, which may not listen yet
            time.sleep(0.05)
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


# -- retry and catch ----------------------------------------------------------------------------------------------

FAIL_TWICE = """
import pathlib, sys
seen = pathlib.Path(sys.argv[1]); n = int(seen.read_text()) if seen.exists() else 0
seen.write_text(str(n + 1)); sys.exit(0 if n == 2 else 1)
"""


def test_a_retry_of_the_state_submits_new_jobs(aws: Aws) -> None:
    count = str(aws.workdir / "count")
    work = submit("Work", Retry=[{"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 1, "MaxAttempts": 3}])
    execution = run(aws, chain(Work=work), Work=container(PYTHON, "-c", FAIL_TWICE, count))
    assert execution.status == "SUCCEEDED", execution.explain()
    assert [job.status for job in aws.batch.jobs] == ["FAILED", "FAILED", "SUCCEEDED"]


def test_a_retry_of_the_job_stays_within_one_job(aws: Aws) -> None:
    count = str(aws.workdir / "count")
    definition = {**container(PYTHON, "-c", FAIL_TWICE, count), "RetryStrategy": {"Attempts": 3}}
    execution = run(aws, chain(Work=submit("Work")), Work=definition)
    assert execution.status == "SUCCEEDED", execution.explain()
    (job,) = aws.batch.jobs
    assert [attempt.nodes[0].exit_code for attempt in job.attempts] == [1, 1, 0]
    assert [node.environment["AWS_BATCH_JOB_ATTEMPT"] for node in job.all_nodes] == ["1", "2", "3"]


def test_a_catch_leads_on_with_the_error(aws: Aws) -> None:
    work = submit("Work", Catch=[{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Caught"}])
    caught = {"Type": "Pass", "Parameters": {"name.$": "$.error.Error"}, "End": True}
    execution = run(aws, chain(Work={**work, "End": True}, Caught=caught), Work=container("false"))
    assert execution.output == {"name": "States.TaskFailed"}


def test_service_faults_have_their_own_names_and_retries(aws: Aws) -> None:
    aws.batch.fail_next(1, "ServerException")
    aws.batch.fail_next(1, "TooManyRequestsException")
    retry = [
        {"ErrorEquals": ["Batch.ClientException"], "MaxAttempts": 0},
        {"ErrorEquals": ["Batch.ServerException", "Batch.AWSBatchException"], "MaxAttempts": 2},
    ]
    execution = run(aws, chain(Work=submit("Work", Retry=retry)), Work=container("true"))
    assert execution.status == "SUCCEEDED", execution.explain()
    failures = [
        event["taskFailedEventDetails"]["error"] for event in execution.history() if event["type"] == "TaskFailed"
    ]
    assert failures == ["Batch.ServerException", "Batch.AWSBatchException"]


def test_a_client_fault_is_not_retried(aws: Aws) -> None:
    retry = [
        {"ErrorEquals": ["Batch.ClientException"], "MaxAttempts": 0},
        {"ErrorEquals": ["States.ALL"], "MaxAttempts": 5},
    ]
    execution = run(
        aws, chain(Work=submit("Work", parameters={"JobQueue": "unknown"}, Retry=retry)), Work=container("true")
    )
    assert (execution.status, execution.error) == ("FAILED", "Batch.ClientException")
    assert aws.batch.calls.count("SubmitJob") == 1


def test_a_parameter_that_is_no_text_ends_the_execution_past_every_catch(aws: Aws) -> None:
    work = submit(
        "Work", parameters={"Parameters": {"n.$": "$.n"}}, Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
    )
    machine = chain(Work={**work, "End": True}, Caught={"Type": "Succeed"})
    execution = run(aws, machine, {"n": 4}, Work=container("echo", "Ref::n"))
    assert (execution.status, execution.error) == ("FAILED", "States.Runtime")
    assert aws.batch.jobs == []


# -- control flow -------------------------------------------------------------------------------------------------


def test_a_choice_follows_what_a_job_wrote_to_s3(aws: Aws) -> None:
    bucket = aws.bucket()
    write = f"""
import obstore.store
obstore.put(obstore.store.S3Store("{bucket}"), "control", b'{{"go": "left"}}')
"""
    read = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
        "Parameters": {"Bucket": bucket, "Key": "control"},
        "ResultSelector": {"value.$": "States.StringToJson($.Body)"},
        "ResultPath": "$.control",
    }
    choose = {
        "Type": "Choice",
        "Default": "Right",
        "Choices": [
            {
                "And": [
                    {"Variable": "$.control.value.go", "IsPresent": True},
                    {"Variable": "$.control.value.go", "StringEquals": "left"},
                ],
                "Next": "Left",
            }
        ],
    }
    machine = chain(
        Write=submit("Write"),
        Read=read,
        Choose=choose,
        Left={"Type": "Succeed"},
        Right={"Type": "Fail", "Error": "wrong"},
    )
    execution = run(aws, machine, Write=container(PYTHON, "-c", write))
    assert execution.status == "SUCCEEDED", execution.explain()
    assert execution.entered()[-1] == "Left"


def test_a_state_puts_an_object_that_a_job_reads(aws: Aws) -> None:
    bucket = aws.bucket()
    put = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:putObject",
        "ResultPath": None,
        "Parameters": {"Bucket": bucket, "Key": "input", "Body.$": "$$.Execution.Input"},
    }
    read = f"""
import obstore.store
print(bytes(obstore.get(obstore.store.S3Store("{bucket}"), "input").bytes()).decode())
"""
    execution = run(aws, chain(Put=put, Read=submit("Read")), {"a": [1, "ü"]}, Read=container(PYTHON, "-c", read))
    assert execution.status == "SUCCEEDED", execution.explain()
    assert json.loads(aws.batch.job("Read").nodes[0].output()) == {"a": [1, "ü"]}


def test_a_missing_object_is_an_error_with_the_name_aws_gives_it(aws: Aws) -> None:
    read = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
        "Parameters": {"Bucket": aws.bucket(), "Key": "missing"},
    }
    execution = aws.machine(chain(Read=read)).start()
    assert execution.wait() == "FAILED"
    assert execution.error == "S3.NoSuchKeyException"


def test_a_second_create_only_put_by_a_state_fails(aws: Aws) -> None:
    put = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:putObject",
        "ResultPath": None,
        "Parameters": {"Bucket": aws.bucket(), "Key": "once", "Body": "x", "IfNoneMatch": "*"},
    }
    execution = aws.machine(chain(First=put, Second=put)).start()
    assert execution.wait() == "FAILED"
    assert (execution.error, execution.entered()) == ("S3.S3Exception", ["First", "Second"])


def test_a_map_runs_at_most_max_concurrency_items_at_once(aws: Aws) -> None:
    work = submit("Work", parameters={"Parameters": {"ix.$": "States.Format('{}', $.ix)"}})
    items = {
        "Type": "Map",
        "ItemsPath": "$.items",
        "MaxConcurrency": 2,
        "ItemSelector": {"ix.$": "$$.Map.Item.Index"},
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **chain(Work=work)},
    }
    execution = run(
        aws, chain(Items=items), {"items": list("abcde")}, Work=container("sh", "-c", "echo $0; sleep 0.15", "Ref::ix")
    )
    assert execution.status == "SUCCEEDED", execution.explain()
    assert sorted(job.nodes[0].output() for job in aws.batch.jobs) == [f"{ix}\n" for ix in range(5)]
    edges = sorted(edge for job in aws.batch.jobs for edge in ((job.started, 1), (job.stopped, -1)))
    together = [sum(step for _, step in edges[: count + 1]) for count in range(len(edges))]
    assert max(together) == 2


def test_a_failed_item_fails_the_map_and_ends_the_other_items_jobs(aws: Aws) -> None:
    work = submit("Work", parameters={"Parameters": {"ix.$": "States.Format('{}', $.ix)"}})
    items = {
        "Type": "Map",
        "ItemsPath": "$.items",
        "ItemSelector": {"ix.$": "$$.Map.Item.Index"},
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **chain(Work=work)},
    }
    execution = run(
        aws,
        chain(Items=items),
        {"items": ["a", "b"]},
        Work=container("sh", "-c", "test $0 = 1 && { sleep 0.3; exit 1; }; sleep 60", "Ref::ix"),
    )
    assert (execution.status, execution.error) == ("FAILED", "States.TaskFailed")
    assert [job.wait() for job in aws.batch.jobs] == ["FAILED", "FAILED"]
    assert [job.terminated for job in aws.batch.jobs].count("Terminated by Step Functions") == 1


def test_a_failed_branch_ends_its_siblings_job(aws: Aws) -> None:
    branches = [chain(Slow=submit("Slow")), chain(Bad=submit("Bad"))]
    both = {
        "Type": "Parallel",
        "Branches": branches,
        "Catch": [{"ErrorEquals": ["States.TaskFailed"], "Next": "Caught"}],
        "End": True,
    }
    execution = run(
        aws,
        chain(Both=both, Caught={"Type": "Succeed"}),
        Slow=container("sleep", "60"),
        Bad=container("sh", "-c", "sleep 0.3; exit 1"),
    )
    assert execution.status == "SUCCEEDED", execution.explain()
    assert aws.batch.job("Slow").wait() == "FAILED"
    assert aws.batch.job("Slow").terminated == "Terminated by Step Functions"


def test_a_false_timeout_in_a_branch_is_not_caught_as_a_failed_task(aws: Aws) -> None:
    wait = {
        "Type": "Parallel",
        "Branches": [chain(Work=submit("Work", TimeoutSeconds=1))],
        "Catch": [
            {"ErrorEquals": ["States.TaskFailed"], "Next": "Failed"},
            {"ErrorEquals": ["States.Timeout"], "Next": "Late"},
        ],
        "End": True,
    }
    execution = run(
        aws, chain(Wait=wait, Failed={"Type": "Fail"}, Late={"Type": "Succeed"}), Work=container("sleep", "60")
    )
    assert execution.entered()[-1] == "Late", execution.explain()
    assert aws.batch.job("Work").wait() == "FAILED"


def test_a_distributed_map_fails_when_an_item_fails(aws: Aws) -> None:
    def items(**more: Any) -> dict[str, Any]:
        fail = {"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 2, "Next": "Bad"}], "Default": "Good"}
        body = chain(Look=fail, Bad={"Type": "Fail", "Error": "bad"}, Good={"Type": "Succeed"})
        return chain(
            Items={
                "Type": "Map",
                "ItemsPath": "$.items",
                **more,
                "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **body},
            }
        )

    strict = aws.machine(items(), name="strict").start({"items": [1, 2, 3]})
    assert strict.wait() == "FAILED"
    assert strict.error == "States.ExceedToleratedFailureThreshold"
    lenient = aws.machine(items(ToleratedFailureCount=1), name="lenient").start({"items": [1, 2, 3]})
    assert lenient.wait() == "SUCCEEDED", lenient.explain()


def test_children_of_a_distributed_map_have_their_own_execution(aws: Aws) -> None:
    show = {"Type": "Pass", "Parameters": {"name.$": "$$.Execution.Name", "input.$": "$$.Execution.Input"}}
    items = {
        "Type": "Map",
        "ItemsPath": "$.items",
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **chain(Show=show)},
    }
    execution = aws.machine(chain(Items=items)).start({"items": [7]}, name="parent")
    assert execution.wait() == "SUCCEEDED", execution.explain()
    assert execution.output[0]["input"] == 7
    assert execution.output[0]["name"] != "parent"


def test_variables_and_jsonata_are_evaluated(aws: Aws) -> None:
    keep = {"Type": "Pass", "Assign": {"kept.$": "$.n"}}
    use = {"Type": "Pass", "Parameters": {"seen.$": "$kept"}}
    double = {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $states.input.seen * 2 %}"}
    execution = aws.machine(chain(Keep=keep, Use=use, Double=double)).start({"n": 21})
    assert execution.wait() == "SUCCEEDED", execution.explain()
    assert execution.output == 42


def test_a_loop_counts_and_ends(aws: Aws) -> None:
    again = {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericLessThan": 3, "Next": "Add"}], "Default": "Done"}
    add = {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "Again"}
    execution = aws.machine(chain(Again=again, Add=add, Done={"Type": "Succeed"})).start({"n": 0})
    assert execution.wait() == "SUCCEEDED"
    assert (execution.output, execution.entered().count("Add")) == ({"n": 3}, 3)


# -- polling, nesting, stopping -----------------------------------------------------------------------------------


def test_a_job_can_be_submitted_and_polled_without_sync(aws: Aws) -> None:
    ask = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:batch:submitJob",
        "ResultPath": "$.job",
        "Parameters": {
            "JobName": "Train",
            "JobDefinition": "${Train}",
            "JobQueue": "${JobQueue}",
            "NodeOverrides": {"NumNodes.$": "$.n"},
        },
    }
    look = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:batch:describeJobs",
        "ResultPath": "$.seen",
        "Parameters": {"Jobs.$": "States.Array($.job.JobId)"},
    }
    done = {
        "Type": "Choice",
        "Choices": [{"Variable": "$.seen.Jobs[0].Status", "StringEquals": "SUCCEEDED", "Next": "Done"}],
        "Default": "Pause",
    }
    machine = chain(
        Ask=ask, Pause={"Type": "Wait", "Seconds": 5, "Next": "Look"}, Look=look, Test=done, Done={"Type": "Succeed"}
    )
    execution = run(aws, machine, {"n": 3}, Train=gang(2, PYTHON, "-c", RENDEZVOUS))
    assert execution.status == "SUCCEEDED", execution.explain()
    assert aws.batch.job("Train").nodes[0].output() == "['1', '2']\n"


def test_an_outer_machine_runs_an_inner_one_and_sees_its_failure(aws: Aws) -> None:
    inner = aws.machine(chain(Bad={"Type": "Fail", "Error": "Sad", "Cause": "why"}), name="inner")
    call = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": inner.machines["Machine"], "Name": "child", "Input": {"a": 1}},
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Finally"}],
    }
    execution = aws.machine(chain(Call={**call, "End": True}, Finally={"Type": "Succeed"}), name="outer").start({})
    assert execution.wait() == "SUCCEEDED", execution.explain()
    assert execution.output["error"]["Error"] == "States.TaskFailed"
    assert json.loads(execution.output["error"]["Cause"])["Error"] == "Sad"


def test_a_stop_ends_the_inner_execution_and_its_job(aws: Aws) -> None:
    inner = aws.deploy(
        json.dumps(template(chain(Work=submit("Work")), Work=container("sleep", "60"))),
        {"JobQueue": aws.queue_arn},
        name="inner",
    )
    call = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": inner.machines["Machine"], "Name": "child", "Input": {}},
    }
    execution = aws.machine(chain(Call=call), name="outer").start({})
    job = aws.batch.wait_job("Work")
    job.wait_status("RUNNING")
    execution.stop()
    assert execution.wait() == "ABORTED"
    assert job.wait() == "FAILED"
    assert job.terminated == "Terminated by Step Functions"
    assert aws.batch.processes() == []


def test_a_stop_reaches_jobs_inside_a_parallel_within_a_map(aws: Aws) -> None:
    both = {"Type": "Parallel", "Branches": [chain(Work=submit("Work"))]}
    items = {
        "Type": "Map",
        "ItemsPath": "$.items",
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **chain(Both=both)},
    }
    execution = deploy(aws, chain(Items=items), Work=container("sleep", "60")).start({"items": [1]})
    job = aws.batch.wait_job("Work")
    job.wait_status("RUNNING")
    execution.stop()
    assert execution.wait() == "ABORTED"
    assert job.wait() == "FAILED"


def test_a_timeout_may_leave_the_job_running(tmp_path: Path) -> None:
    with Aws(tmp_path, base_env=base_env, terminate_on_timeout=False) as aws:
        execution = run(aws, {**chain(Work=submit("Work")), "TimeoutSeconds": 1}, Work=container("sleep", "60"))
        assert execution.status == "TIMED_OUT"
        assert aws.batch.job("Work").status == "RUNNING"
    assert aws.batch.job("Work").status == "FAILED"  # leaving the block ends it


def test_a_batch_timeout_fails_the_task(aws: Aws) -> None:
    definition = {**container("sleep", "60"), "Timeout": {"AttemptDurationSeconds": 60}}
    aws.batch.time_scale = 0.005
    execution = run(aws, chain(Work=submit("Work")), Work=definition)
    assert (execution.status, execution.error) == ("FAILED", "States.TaskFailed")
    assert json.loads(execution.cause or "")["StatusReason"] == "Job attempt duration exceeded timeout"


# -- what surrounds a machine -------------------------------------------------------------------------------------


def test_a_distributed_map_reads_its_items_from_s3(aws: Aws) -> None:
    bucket = aws.bucket()
    aws.s3.put_object(Bucket=bucket, Key="items", Body=json.dumps([{"ix": 4}, {"ix": 5}]).encode())
    items = {
        "Type": "Map",
        "ItemSelector": {"ix.$": "$$.Map.Item.Value.ix"},
        "ToleratedFailurePercentage": 5,
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSON"},
            "Parameters": {"Bucket": bucket, "Key.$": "$.key"},
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            **chain(Show={"Type": "Pass", "Parameters": {"seen.$": "$.ix"}}),
        },
    }
    execution = aws.machine(chain(Items=items)).start({"key": "items"})
    assert execution.wait() == "SUCCEEDED", execution.explain()
    assert execution.output == [{"seen": 4}, {"seen": 5}]


def test_the_context_object_shows_name_input_and_start(aws: Aws) -> None:
    show = {"Type": "Pass", "Parameters": {"name.$": "$$.Execution.Name", "start.$": "$$.Execution.StartTime"}}
    execution = aws.machine(chain(Show=show)).start(name="chosen")
    assert execution.wait() == "SUCCEEDED", execution.explain()
    assert execution.output["name"] == "chosen"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", execution.output["start"])


@pytest.mark.parametrize("name", ["with space", "a/b", "x" * 81])
def test_an_execution_name_that_aws_refuses_is_refused(aws: Aws, name: str) -> None:
    with pytest.raises(ValueError, match="InvalidName"):
        aws.machine(chain(Done={"Type": "Succeed"})).start(name=name)


def test_the_actions_that_a_role_must_allow_are_known(aws: Aws) -> None:
    put = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:putObject",
        "ResultPath": None,
        "Parameters": {"Bucket": aws.bucket(), "Key": "x", "Body": {}},
    }
    run(aws, chain(Put=put, Work=submit("Work")), Work=container("true"))
    assert aws.actions == {"s3:PutObject", "batch:SubmitJob", "batch:DescribeJobs"}
