"""What the Step Functions target emits, held against the linters and the services' own shapes."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from flowc.runtime.plan import Plan
from flowc.targets import sfn
from flowc.targets.sfn import marks, names
from tests.engines.aws import oracles
from tests.targets.conftest import Golden
from tests.targets.hostile import HOSTILE
from tests.targets.plans import SAMPLES, build, diamond, linear, plan, step

Doc = dict[str, Any]
ACCOUNT = "123456789012"
DEPLOYED = {
    "SubmitJob": "arn:aws:states:::batch:submitJob.sync",
    "PutObject": "arn:aws:states:::aws-sdk:s3:putObject",
    "JobQueue": f"arn:aws:batch:us-east-1:{ACCOUNT}:job-queue/queue",
    "StoreBucket": "bucket",
    "StorePrefix": "prefix/",
    "Region": "us-east-1",
    "LogGroup": "logs",
    "JobRole": f"arn:aws:iam::{ACCOUNT}:role/job",
    "ExecutionRole": f"arn:aws:iam::{ACCOUNT}:role/execution",
}


def files(of: Plan, **options: Any) -> dict[str, str]:
    return {file.name: file.text for file in sfn.render(sfn.emit(build(of, **options)))}


def machine(of: Plan) -> Doc:
    document: Doc = json.loads(files(of)["state-machine.asl.json"])
    return document


def deployed(of: Plan) -> str:
    """The state machine's text as it is in an account."""
    text = files(of)["state-machine.asl.json"]
    jobs = {names.logical_id(step.name): f"arn:aws:batch:us-east-1:{ACCOUNT}:job-definition/x:1" for step in of.steps}
    for mark, value in {**DEPLOYED, **jobs}.items():
        text = text.replace(f"${{{mark}}}", value)
    assert "${" not in text
    return text


def jobs(of: Plan) -> dict[str, Doc]:
    return {
        name.removeprefix("job-definitions/").removesuffix(".json"): json.loads(text)
        for name, text in files(of).items()
        if name.startswith("job-definitions/")
    }


def template(of: Plan, **options: Any) -> Doc:
    document: Doc = yaml.safe_load(files(of, **options)["template.yaml"])
    return document


def compact(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"))


@pytest.mark.parametrize("name", SAMPLES)
def test_golden(name: str, golden: Golden) -> None:
    for file, text in files(SAMPLES[name]()).items():
        golden(f"{name}.{file.replace('/', '.')}", text)


@pytest.mark.parametrize("name", SAMPLES)
def test_linters_have_no_objection(name: str) -> None:
    of = SAMPLES[name]()
    assert oracles.cfn_lint(files(of)["template.yaml"]) == []
    assert oracles.asl_validator(deployed(of)) == []


@pytest.mark.parametrize("name", SAMPLES)
def test_requests_have_the_shape_of_the_service(name: str) -> None:
    of = SAMPLES[name]()
    blocks = oracles.submit_job_blocks(deployed(of))
    assert sorted(block.state for block in blocks) == sorted(step.name for step in of.steps)
    assert [block.faults for block in blocks if block.faults] == []
    for definition in jobs(of).values():
        assert oracles.botocore_shape("batch", "RegisterJobDefinition", definition) == []


def test_the_first_state_records_the_input() -> None:
    document = machine(plan(step("a")))
    state = document["States"][document["StartAt"]]
    assert state["Parameters"]["Body.$"] == "$$.Execution.Input"
    assert state["Parameters"]["Key.$"] == "States.Format('${StorePrefix}sample/{}/input.json', $$.Execution.Name)"
    assert state["ResultSelector"] == {"run.$": "$$.Execution.Name"}
    assert json.dumps(document).count("$$.Execution.Name") == 2  # and nowhere else


def test_every_task_drops_its_result_and_passes_the_run() -> None:
    state = machine(plan(step("a")))["States"]["a"]
    assert state["ResultPath"] is None
    assert state["Parameters"]["Parameters"] == {"run.$": "$.run"}
    assert jobs(plan(step("a")))["a"]["containerProperties"]["command"][-2:] == ["--run", "Ref::run"]


def test_retriers_stand_in_order() -> None:
    retriers = machine(plan(step("a", retries=2, retry_wait=30)))["States"]["a"]["Retry"]
    assert [retrier["ErrorEquals"][0] for retrier in retriers] == [
        "Batch.ClientException", "Batch.ServerException", "States.TaskFailed",
    ]  # fmt: skip
    assert retriers[0]["MaxAttempts"] == 0
    assert retriers[2] == {
        "ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 30, "MaxAttempts": 2, "BackoffRate": 2,
    }  # fmt: skip


def test_a_wait_of_zero_is_a_second() -> None:
    retrier = machine(plan(step("a", retries=2)))["States"]["a"]["Retry"][2]
    assert (retrier["IntervalSeconds"], retrier["BackoffRate"]) == (1, 1)


def test_branches_are_parallel_states() -> None:
    document = machine(diamond())
    assert document["States"]["RecordInput"]["Next"] == "Fork1"
    fork = document["States"]["Fork1"]
    assert [list(branch["States"]) for branch in fork["Branches"]] == [["start", "Fork2", "join"], ["alone"]]
    inner = fork["Branches"][0]["States"]["Fork2"]
    assert [list(branch["States"]) for branch in inner["Branches"]] == [["left"], ["right"]]
    assert (fork["ResultPath"], inner["ResultPath"]) == (None, None)


def test_a_flow_with_a_timeout_runs_beside_a_clock() -> None:
    states = machine(linear())["States"]
    branches = states["WithinTimeout"]["Branches"]
    assert branches[1]["States"]["TimeLimit"]["Seconds"] == 7200
    assert branches[0]["States"]["report_all"]["Next"] == "Finished"
    assert states["WithinTimeout"]["Catch"][0]["ErrorEquals"] == [branches[0]["States"]["Finished"]["Error"]]


def test_no_timeout_on_batch_tasks() -> None:
    assert "TimeoutSeconds" not in json.dumps(machine(linear()))


def test_a_gang_is_a_multinode_job_of_one_range() -> None:
    definition = jobs(linear())["train"]
    assert definition["type"] == "multinode"
    properties = definition["nodeProperties"]
    assert (properties["numNodes"], properties["mainNode"]) == (4, 0)
    assert [group["targetNodes"] for group in properties["nodeRangeProperties"]] == ["0:"]
    container = properties["nodeRangeProperties"][0]["container"]
    assert container["linuxParameters"] == {"sharedMemorySize": 8192}
    assert {"type": "GPU", "value": "2"} in container["resourceRequirements"]
    assert definition["timeout"] == {"attemptDurationSeconds": 600 + 3600 + 900}


def test_a_gang_of_one_is_a_plain_job() -> None:
    assert jobs(diamond())["right"]["type"] == "container"


def test_parts_are_rounded_up() -> None:
    container = jobs(plan(step("a", cpu=0.5, memory=1, shm=1)))["a"]["containerProperties"]
    assert container["resourceRequirements"] == [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "1"}]
    assert container["linuxParameters"] == {"sharedMemorySize": 1}


def test_a_name_means_one_content() -> None:
    def name(**settings: Any) -> str:
        return str(jobs(plan(step("a", **settings)))["a"]["jobDefinitionName"])

    assert name() == name()
    assert name().startswith("sample-a-")
    assert name() != name(cpu=2.0)


def test_logical_ids_keep_apart() -> None:
    words = ["a_b", "ab", "a__b", "a_", "ax", "a_x", "axb"]
    ids = [names.logical_id(word) for word in words]
    assert len(set(ids)) == len(words)
    assert all(each.isalnum() for each in ids)


def test_the_store_is_a_default_of_the_stack() -> None:
    parameters = template(plan(step("a")), store="s3://bucket/some/prefix/")["Parameters"]
    assert (parameters["StoreBucket"]["Default"], parameters["StorePrefix"]["Default"]) == ("bucket", "some/prefix/")
    parameters = template(plan(step("a")), store="s3://bucket")["Parameters"]
    assert parameters["StorePrefix"]["Default"] == ""
    parameters = template(plan(step("a")), store=None)["Parameters"]
    assert "Default" not in parameters["StoreBucket"]


def test_every_mark_is_substituted() -> None:
    document = template(linear())
    properties = document["Resources"]["StateMachine"]["Properties"]
    found = marks.marks_in(properties["DefinitionString"])
    assert found == list(properties["DefinitionSubstitutions"])
    assert {"SubmitJob", "JobQueue", "StoreBucket", "StorePrefix", "Jobprepare", "JobreportXall"} <= set(found)


def test_the_template_says_what_the_files_say() -> None:
    of = linear()
    document = template(of)
    assert json.loads(document["Resources"]["StateMachine"]["Properties"]["DefinitionString"]) == machine(of)
    for name, definition in jobs(of).items():
        properties = document["Resources"][names.logical_id(name)]["Properties"]
        assert properties["JobDefinitionName"] == definition["jobDefinitionName"]
        assert properties["RetryStrategy"]["EvaluateOnExit"][1] == {"OnReason": "*", "Action": "EXIT"}


def test_rights_are_least() -> None:
    resources = template(linear())["Resources"]
    statements = resources["MachineRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    assert sorted(action for statement in statements for action in statement["Action"]) == [
        "batch:DescribeJobs", "batch:SubmitJob", "batch:TagResource", "batch:TerminateJob", "events:DescribeRule",
        "events:PutRule", "events:PutTargets", "s3:PutObject",
    ]  # fmt: skip
    wide = [statement["Action"] for statement in statements if statement["Resource"] == ["*"]]
    assert wide == [["batch:DescribeJobs"]]


def test_an_own_partition_is_written_nowhere() -> None:
    assert "arn:aws:" not in "".join(files(linear()).values())


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_images_survive(text: str) -> None:
    of = plan(step("a", image=text), step("b", gang=2, image=text))
    definitions = jobs(of)
    assert definitions["a"]["containerProperties"]["image"] == text
    resources = template(of)["Resources"]
    assert resources["Joba"]["Properties"]["ContainerProperties"]["Image"] == text
    group = resources["Jobb"]["Properties"]["NodeProperties"]["NodeRangeProperties"][0]
    assert group["Container"]["Image"] == text


@pytest.mark.parametrize("text", [text for text in HOSTILE if text])
def test_hostile_file_names_change_nothing_but_comments(text: str) -> None:
    found = files(plan(step("a")), source_name=text)
    document = yaml.safe_load(found["template.yaml"])
    comment = json.loads(document["Resources"]["StateMachine"]["Properties"]["DefinitionString"])["Comment"]
    assert not set("${}'\"\n") & set(comment)
    assert len(document["Description"]) <= 1024


def test_sizes_of_a_plain_step() -> None:
    of = plan(*(step(f"step_number_{i}", [f"step_number_{i - 1}"] if i else []) for i in range(100)))
    states = machine(of)["States"]
    assert max(len(compact({name: state})) for name, state in states.items()) <= 700
    assert max(len(compact(definition)) for definition in jobs(of).values()) <= 1024
